"""The doctor tells whether what made the vectors is still there, and loads no model for it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import ENCODER

from geocmer.doctor.run import examine
from geocmer.errors import ModelError
from geocmer.models.encoder import expected_fingerprint
from geocmer.models.hole_fill import FILL
from geocmer.models.trust import remember
from geocmer.store.store import Store


def test_the_expected_fingerprint_is_that_of_the_loaded_encoder() -> None:
    from geocmer.models.encoder import Encoder

    assert expected_fingerprint() == Encoder.load(device="cpu").fingerprint
    assert expected_fingerprint("ViT-B-32/openai") is None
    with pytest.raises(ModelError, match="nowhere"):
        expected_fingerprint("bundled", "/nowhere")


def test_an_adapter_that_is_another_one_or_gone_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text(json.dumps({"fingerprint": "f0" * 16}))
    towers_and_adapter = hashlib.blake2b(b"weights" + b"f0" * 16, digest_size=16).hexdigest()
    made = hashlib.blake2b(f"{towers_and_adapter} {FILL}".encode(), digest_size=16).hexdigest()
    store = Store.create(tmp_path / "store")
    store.add_encoder(replace(ENCODER, fingerprint=made, adapter=str(folder)))
    assert "was not used on this computer" in examine(store).notes[0], "no file is read that only the store names"
    remember(ENCODER.model, str(folder))
    assert examine(store).sound
    assert examine(store).notes == ()
    (folder / "model.safetensors").write_bytes(b"others")
    (finding,) = examine(store, fix=True).findings
    assert (finding.kind, finding.what) == ("encoder", "installed model is not the one that made the vectors")
    assert "geocmer embed --store" in finding.remedy
    (folder / "config.json").write_text("{")
    assert "cannot be read" in examine(store).findings[0].what
    shutil.rmtree(folder)
    assert "is gone" in examine(store).findings[0].what


def test_looking_loads_no_model(store: Store) -> None:
    code = (
        "import sys; from geocmer.doctor import examine; from geocmer.store import Store\n"
        "print(examine(Store.open(sys.argv[1]), fix=True).sound, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, store.path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
