"""Training in one call: captioned images in, the folder of an adapter out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._types import Progress
from ..datasets.annotations import load_pairs
from ..datasets.pairs import PairSet
from ..models.backbone import BUNDLED, Backbone
from .config import read_settings
from .ensemble import train as train_members
from .feature_cache import default_cache


def train(
    pairs: str | Path | PairSet,
    out: str | Path,
    *,
    images: str | Path | None = None,
    model: str | None = None,
    device: str = "auto",
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Path:
    """Train an adapter on captioned images and write it to a folder, which is returned.

    Args:
        pairs: annotation file of a captioned set, or the set itself.
        out: folder of the adapter.
        images: folder of the images.
        model: frozen towers, see `Backbone.load`; the bundled ones if None.
        device: auto, cuda, mps or cpu.
        cache_dir: of the features; the user's cache folder if None.
        progress: called with (done, total) pictures while features are computed.
        **settings: fields of `TrainConfig`, as `epochs=10`.

    Raises:
        GeocmerError: the pairs, a setting or the model cannot be used.
    """
    folder = Path(out)
    cache = Path(cache_dir) if cache_dir else default_cache()
    backbone = Backbone.load(model or BUNDLED, device)
    data = pairs if isinstance(pairs, PairSet) else load_pairs(Path(pairs), Path(images) if images else None)
    train_members(data, backbone, folder, read_settings(None, settings), cache=cache, on_features=progress)
    return folder
