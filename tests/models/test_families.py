"""A family of towers is one entry of a table: loading, help and errors follow it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_clip, tiny_pair

from geocmer.errors import ModelError
from geocmer.models.backbone import Backbone, Towers
from geocmer.models.encoder import Encoder
from geocmer.models.families import FAMILIES, Family, family_of

ADDED = """
from geocmer.models.families import FAMILIES, Family
FAMILIES["dummy"] = Family("dummy:SEED", "random towers for a test", None)
import sys, geocmer_cli.main
sys.argv = ["geocmer", "search", "--help"]
geocmer_cli.main.main()
"""


@pytest.mark.parametrize(
    ("spec", "family"),
    [
        ("bundled", "bundled"), ("bundled/lite2", "bundled"), ("hf-hub:org/model", "hf-hub"),
        ("local-dir:/a:b/c", "local-dir"), ("ViT-B-32/laion2b_s34b_b79k", ""), ("ViT-B-32", ""), ("bundle", ""),
    ],
)  # fmt: skip
def test_the_part_before_the_first_colon_or_slash_names_the_family(spec: str, family: str) -> None:
    assert family_of(spec) is FAMILIES[family]


def test_a_new_family_loads_and_is_named_in_help_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(spec: str, device: torch.device) -> Towers:
        asked.append((spec, device.type))
        return tiny_clip()._towers

    monkeypatch.setitem(FAMILIES, "dummy", Family("dummy:SEED", "random towers for a test", load))
    encoder = Encoder.load("dummy:3", device="cpu")
    assert asked == [("dummy:3", "cpu")]
    assert encoder.backbone.spec == "dummy:3"
    assert encoder.backbone.fingerprint == tiny_clip().fingerprint
    image = np.zeros((1, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(encoder.backbone.image(image).pooled, tiny_clip().image(image).pooled)
    with pytest.raises(ModelError, match=r"unknown model .nothing/here.; use .*dummy:SEED"):
        Backbone.load("nothing/here", "cpu")


def test_the_default_tower_may_be_named_and_has_its_adapter() -> None:
    named, default = Encoder.load("bundled/lite1", device="cpu"), Encoder.load(device="cpu")
    assert (named.fingerprint, named.dim) == (default.fingerprint, default.dim)


def test_towers_that_share_no_space_need_an_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "pair", Family("pair", "a test", lambda *_: tiny_pair(tmp_path)._towers))
    with pytest.raises(ModelError, match=r"towers of pair share no space; give --adapter"):
        Encoder.load("pair", device="cpu")


@pytest.mark.parametrize(("wrong", "near"), [("bundeld", "bundled"), ("ViT-B32", "ViT-B-32")])
def test_a_misspelt_name_gets_the_nearest_one(wrong: str, near: str) -> None:
    with pytest.raises(ModelError, match=f"did you mean '{near}'"):
        Backbone.load(wrong, "cpu")


def test_help_names_every_family(tmp_path: Path) -> None:
    shown = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True, check=True, cwd=tmp_path)
    text = " ".join(shown.stdout.replace("│", " ").split())
    for form in [*(family.form for family in FAMILIES.values()), "dummy:SEED"]:
        assert form in text
