"""An open_clip architecture with its weights in a file, as RemoteCLIP is published."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affine import Affine
from synthetic import raster
from typer.testing import CliRunner

import geocmer
from geocmer.errors import InputError, ModelError
from geocmer.models.backbone import Backbone
from geocmer.models.families import with_weights

NAME = "ViT-S-32-alt"  # the smallest that open_clip knows
SIDE = 224


@pytest.fixture(scope="module")
def clip() -> Any:
    import open_clip

    torch.manual_seed(0)
    return open_clip.create_model(NAME).eval()


@pytest.fixture
def weights(clip: Any, tmp_path: Path) -> Path:
    torch.save(clip.state_dict(), tmp_path / "random.pt")
    return tmp_path / "random.pt"


def by_open_clip(clip: Any, pixels: np.ndarray, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of a picture (side, side, 3) and of a text, as open_clip's own documentation computes them."""
    import open_clip

    mean, std = (np.array(clip.visual.preprocess_cfg[name]) for name in ("mean", "std"))
    picture = torch.from_numpy(((pixels / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32))
    with torch.inference_mode():
        image = clip.encode_image(picture, normalize=True)
        words = clip.encode_text(open_clip.get_tokenizer(NAME)([text]), normalize=True)
    return image.numpy()[0], words.numpy()[0]


def test_a_store_made_with_a_file_of_weights_answers_without_naming_it(
    clip: Any, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geocmer_cli.main import app

    pixels = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)
    raster(tmp_path / "scene.tif", pixels, Affine(10, 0, 600_000, 0, -10, 5_000_000))
    monkeypatch.chdir(tmp_path)
    options = ["--model", NAME, "--weights", weights.name, "--stretch", "none", "--device", "cpu", "--store", "store"]
    done = CliRunner().invoke(app, ["tile", "scene.tif", *options])
    assert done.exit_code == 0, done.output
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    hits = geocmer.open(tmp_path / "store").search("a lake")
    image, words = by_open_clip(clip, pixels.transpose(1, 2, 0), "a lake")
    assert hits[0].score == pytest.approx(float(image @ words), abs=2e-3)  # vectors are kept in float16
    encoder = geocmer.open(tmp_path / "store").store.encoder
    assert encoder is not None
    assert encoder.model == f"{NAME}/{weights}"


def test_a_folder_is_kept_by_its_absolute_name(clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    (tmp_path / "model").mkdir()
    config = {"model_cfg": open_clip.get_model_config(NAME), "preprocess_cfg": clip.visual.preprocess_cfg}
    (tmp_path / "model" / "open_clip_config.json").write_text(json.dumps(config))
    torch.save(clip.state_dict(), tmp_path / "model" / "open_clip_pytorch_model.bin")
    monkeypatch.chdir(tmp_path)
    assert Backbone.load("local-dir:model", "cpu").spec == f"local-dir:{tmp_path / 'model'}"


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def test_what_is_no_weights_of_this_architecture_is_refused_and_never_run(
    clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, "bomb.pt")
    with pytest.raises(ModelError, match="weights of ViT-S-32-alt and nothing else"):
        Backbone.load(f"{NAME}/bomb.pt", "cpu")
    assert not Path("exploded").exists()
    torch.save({"visual.proj": torch.zeros(3, 4)}, "other.pt")
    with pytest.raises(ModelError, match="weights of ViT-S-32-alt and nothing else"):
        Backbone.load(f"{NAME}/other.pt", "cpu")
    with pytest.raises(ModelError, match=r"gone.pt of ViT-S-32-alt are not there"):
        Backbone.load(f"{NAME}/gone.pt", "cpu")


@pytest.mark.parametrize(("model", "file", "why"), [
    (None, "a.pt", "does not say which model"), ("bundled", "a.pt", "names weights already"),
    ("hf-hub:a/b", "a.pt", "names weights already"), ("ViT-B-32/openai", "a.pt", "names weights already"),
    ("ViT-B-32", "a.txt", "ends in one of"),
])  # fmt: skip
def test_weights_belong_to_an_architecture(model: str | None, file: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        with_weights(model, file)
