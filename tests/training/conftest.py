"""Images of one colour with captions, to train on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from colours import COLOURS
from PIL import Image

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import PairSet


@pytest.fixture
def pairs(tmp_path: Path) -> PairSet:
    rng = np.random.default_rng(0)
    entries = []
    for i in range(48):
        name, colour = list(COLOURS.items())[i % 4]
        noisy = np.clip(np.array(colour) + rng.integers(-25, 25, (16, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(tmp_path / f"{i}.png")
        split = "train" if i < 40 else "val"
        captions = [f"{name} field", f"a {name} area"]
        entries.append({"filename": f"{i}.png", "split": split, "captions": captions, "scene": name})
    (tmp_path / "set.json").write_text(json.dumps({"images": entries}))
    return load_pairs(tmp_path / "set.json")
