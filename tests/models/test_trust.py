"""What only a file names is not loaded: the bundled model is known, any other once it was named here."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from geocmer import _files
from geocmer.errors import ModelError
from geocmer.models import trust
from geocmer.models.encoder import Encoder
from geocmer.models.text_encoder import NumpyTextEncoder


@pytest.fixture(autouse=True)
def _nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_file", lambda: tmp_path / "state" / "known.json")


@pytest.mark.parametrize(
    ("model", "adapter"),
    [
        ("local-dir:model", ""),
        ("hf-hub:some/model", ""),
        ("ViT-B-32/laion2b_s34b_b79k", ""),
        ("bundled", "adapter"),
        ("bundled-not", ""),
        ("", ""),
    ],
)
def test_a_model_is_known_once_it_was_named(model: str, adapter: str) -> None:
    with pytest.raises(ModelError, match=r"the store names a model that was not used here before.*--model"):
        trust.require_known(model, adapter, "the store")
    trust.remember(model, adapter)
    trust.require_known(model, adapter, "the store")
    assert not trust.is_known(model, "another adapter")
    assert not trust.is_known("hf-hub:another/model", adapter)


@pytest.mark.parametrize("model", ["bundled", "bundled/lite0"])
def test_what_ships_with_geocmer_is_known(model: str) -> None:
    assert trust.is_known(model)


def test_a_folder_is_the_same_by_whatever_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    trust.remember("local-dir:models/mine")
    monkeypatch.chdir(tmp_path / "models")
    assert trust.is_known("local-dir:mine")
    assert not trust.is_known("local-dir:models/mine"), "a store unpacked elsewhere brings another folder"


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "3", '{"a": 1}'])
def test_a_damaged_note_knows_nothing_and_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "known.json").write_text(content)
    assert not trust.is_known("hf-hub:some/model")
    trust.remember("hf-hub:some/model")
    assert trust.is_known("hf-hub:some/model")


def test_what_is_named_at_the_same_time_is_all_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"origin https://{number}.example" for number in range(8)]
    write = _files.write_atomically

    def slowly(*args: Any) -> None:
        time.sleep(0.02)
        write(*args)

    monkeypatch.setattr(trust, "write_atomically", slowly)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: trust.remember_names([name]), names))
    assert trust.known_names() == set(names)


def test_a_note_that_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    trust.remember("hf-hub:some/model")
    assert not trust.is_known("hf-hub:some/model")


def test_the_encoder_of_a_store_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not used here before"):
        Encoder.of_store("local-dir:foreign/model", "")
    (tmp_path / "adapter").mkdir()
    for load in (Encoder.of_store, NumpyTextEncoder.of_store):
        with pytest.raises(ModelError, match="not used here before"):
            load("bundled", str(tmp_path / "adapter"))
