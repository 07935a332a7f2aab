"""Training in one call: captioned images in, the folder of an adapter out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from .._files import require_writable_folder
from .._types import Progress
from ..datasets.duplicates import duplicate_warnings
from ..datasets.mixture import load_sets
from ..datasets.pairs import PairSet
from ..datasets.store_pairs import TilePairs
from ..errors import InputError
from ..models.adapter_config import read_config
from ..models.backbone import BUNDLED, Backbone
from .baselines import train_baseline
from .config import BASELINE_RATES, TrainConfig, read_settings
from .distributed import is_first, local_device, process_group
from .ensemble import check_sets, member_folders
from .ensemble import train as train_members
from .feature_cache import bytes_needed, default_cache
from .loop import Epoch
from .plot import draw
from .reliability import Reliability
from .scores import Score

PairsLike: TypeAlias = str | Path | PairSet | TilePairs


def train(
    pairs: PairsLike | Sequence[PairsLike],
    out: str | Path,
    *,
    images: str | Path | None = None,
    model: str | Backbone | None = None,
    device: str = "auto",
    config: str | Path | None = None,
    cache_dir: str | Path | None = None,
    cached: bool = True,
    progress: Progress | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_ensemble: Callable[[Score], None] | None = None,
    on_calibration: Callable[[Reliability | str], None] | None = None,
    notify: Callable[[str], None] | None = None,
    **settings: Any,
) -> Path:
    """Train an adapter on captioned images and write it to a folder, which is returned.

    Under `torchrun` each process computes a part of every batch; the first one writes, and calls back.

    Args:
        pairs: a captioned set: an annotation file, its parts as `FILE#word=snow`, or the set itself; or several.
        out: folder of the adapter; `metrics.jsonl` and `training.png` lie in it, or in that of each member.
        images: folder of the images, of a single annotation file.
        model: frozen towers, see `Backbone.load`, or those that are loaded already; the bundled ones if None.
        device: auto, cuda, mps or cpu.
        config: TOML file of settings; those given here win over it.
        cache_dir: of the features; the user's cache folder if None.
        cached: if not, the image tower runs in every step: slow.
        progress: called with (done, total) images while features are computed.
        on_epoch: called after each epoch.
        on_ensemble: called with the validation figure of several members together.
        on_calibration: called with what the probabilities of hits are worth, or with why there are none.
        notify: gets a line about the sets, the model, and the space that features take.
        **settings: fields of `TrainConfig`, as `epochs=10`; None leaves one as it is.

    Raises:
        GeocmerError: the pairs, a setting or the model cannot be used.
    """
    cfg, out = read_settings(Path(config) if config else None, settings), Path(out)
    cache = (Path(cache_dir) if cache_dir else default_cache()) if cached else None
    note = notify if notify and is_first() else _ignore
    _check_places(out, cache, cfg)
    sets = _read_sets(pairs, images, note)
    check_sets(sets, cfg)
    if cfg.method in BASELINE_RATES and len(sets) > 1:
        raise InputError(f"--method {cfg.method} trains on one set, not on {len(sets)}")
    backbone = model if isinstance(model, Backbone) else Backbone.load(model or BUNDLED, local_device(device))
    folders = member_folders(out, cfg, backbone)
    with process_group(backbone.device):
        towers = f"model {backbone.spec} on {backbone.device}"
        if cfg.method in BASELINE_RATES:
            note(
                f"{towers}; {cfg.method} is for comparison: gradients through the towers, no cache, no weights written"
            )
            train_baseline(sets[0], backbone, out, cfg, on_epoch)
        else:
            note(f"{towers}; {_space(sets, backbone, cfg, cache)}")
            unknown = [] if cfg.ground_m else [each.name for each in sets if not each.ground_m]
            if unknown:
                note(
                    f"how much ground an image of {', '.join(unknown)} covers is not known, so `geocmer tile` will not"
                    " say whether tiles fit; give gsd_m in the annotation file, or ground_m in --config"
                )
            train_members(
                sets, backbone, out, cfg, cache=cache, on_features=progress, on_epoch=on_epoch, on_ensemble=on_ensemble,
                on_calibration=on_calibration,
            )  # fmt: skip
    if is_first():
        for folder in folders:
            draw(folder / "metrics.jsonl", folder / "training.png")
    return out


def _check_places(out: Path, cache: Path | None, cfg: TrainConfig) -> None:
    """Refuse folders that a run cannot write, or go on from, before a model is loaded for it."""
    require_writable_folder(out, "--out")
    if cache is not None:
        require_writable_folder(cache, "--cache-dir")
    if cfg.start and cfg.start != BUNDLED:
        read_config(Path(cfg.start))


def _read_sets(
    pairs: PairsLike | Sequence[PairsLike], images: str | Path | None, note: Callable[[str], None]
) -> list[PairSet]:
    """Read the sets that are named, and tell what should be known of them."""
    given = [pairs] if isinstance(pairs, PairsLike) else list(pairs)
    names = [str(one) for one in given if isinstance(one, str | Path)]
    if images is not None and not names:
        raise InputError(f"--images {images} belongs to an annotation file; tiles are read from their scenes")
    read = iter(load_sets(names, Path(images) if images else None) if names else [])
    sets: list[PairSet] = []
    for one in given:
        if isinstance(one, TilePairs):
            sets.append(one.pairs)
            for line in (one.summary, *(f"warning: {warning}" for warning in one.warnings)):
                note(line)
        else:
            sets.append(one if isinstance(one, PairSet) else next(read))
            whole = isinstance(one, str | Path) and "#" not in str(one)
            if whole and note is not _ignore:  # it reads every image
                for warning in duplicate_warnings(sets[-1]):
                    note(f"warning: {warning}")
    return sets


def _space(sets: Sequence[PairSet], backbone: Backbone, cfg: TrainConfig, cache: Path | None) -> str:
    """Say how much room the features take, and where."""
    if cache is None:
        return "no feature cache"
    images = sum(cfg.views if pair.split == "train" else pair.split == "val" for pairs in sets for pair in pairs.pairs)
    return f"features take {bytes_needed(backbone, images) / 1e6:,.0f} MB in {cache}"


def _ignore(_: str) -> None:
    """Say nothing: only the first process of a `torchrun` speaks."""
