"""`geocmer train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import progress, say
from .options import Device

if TYPE_CHECKING:
    from geocmer.datasets.pairs import PairSet
    from geocmer.models.backbone import Backbone
    from geocmer.training.config import TrainConfig
    from geocmer.training.loop import Epoch
    from geocmer.training.scores import Score


def command() -> Callable[..., None]:
    """Return the function that Typer makes the command of."""
    return train


def train(
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Annotation files or folders of captioned sets (JSON, JSON lines, CSV), or of labelled ones; "
            "FILE#word=snow and FILE#mosaics=1500 are parts of one."
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="Train on the tiles of this store instead, tiled with --landcover.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the adapter.")] = Path("adapter"),
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images.")] = None,
    model: Annotated[str, typer.Option("--model", help="Frozen towers, as for `geocmer tile`.")] = "bundled",
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file of settings; options given here win over it.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="cmer; for comparison linear, adapter, lora or full. [cmer]")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the training split.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Pairs per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Peak learning rate.")] = None,
    views: Annotated[int | None, typer.Option("--views", help="Views of an image trained on, 1 to 64.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every random choice. [0]")] = None,
    cache_dir: Annotated[Path | None, typer.Option("--cache-dir", help="Feature cache [~/.cache/geocmer].")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run the image tower in every step: slow.")] = False,
    device: Device = "auto",
) -> None:
    """Train an adapter on captioned images, or on the tiles of a store, and write it to a folder.

    The towers stay frozen: their features are computed once and cached. Of each member of the adapter the epoch
    with the best mR on the `val` split is kept, of several sets the last. An interrupted run continues when started
    again. `metrics.jsonl` and `training.png`, beside the adapter or in `member-0` and so on, show the loss and the
    figures of each epoch.

    Tiles are captioned from their land cover; validation tiles lie in blocks that no training tile touches.

    Under `torchrun --nproc-per-node N --no-python geocmer train ...` each process computes a part of every batch.

    Of several sets, each gives the share of what is trained on that its weight in --config says.

    Example: geocmer train rsicd/captions.json eurosat/labels.json --out my-adapter
    """
    from geocmer.models.backbone import Backbone
    from geocmer.training.config import read_settings
    from geocmer.training.distributed import local_device, process_group, rank
    from geocmer.training.ensemble import member_folders
    from geocmer.training.plot import draw

    options = {"method": method, "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "views": views}
    cfg = read_settings(config, {**options, "seed": seed})
    backbone = Backbone.load(model, local_device(device))
    folders = member_folders(out, cfg, backbone)
    with process_group(backbone.device):
        first = rank() == 0
        note = say if first else _ignore
        data = _data(pairs, images, store, cfg.seed, note)

        def on_epoch(epoch: Epoch) -> None:
            mark = " *" if epoch.best else ""
            figures = f"loss {epoch.loss:.3f}  validation {_figures(epoch.val)}{mark}"
            member = f"member {epoch.member + 1}/{len(folders)}  " if len(folders) > 1 else ""
            note(f"{member}epoch {epoch.number + 1}/{cfg.epochs}  {figures}")

        def on_ensemble(score: Score) -> None:
            note(f"all members together: validation {_figures(score)}")

        _run(
            data, backbone, out, cfg, None if no_cache else cache_dir, note, on_epoch, on_ensemble, cached=not no_cache
        )
    if first:
        for folder in folders:
            draw(folder / "metrics.jsonl", folder / "training.png")
        print(out)


def _run(
    data: list[PairSet], backbone: Backbone, out: Path, cfg: TrainConfig, cache: Path | None,
    note: Callable[[str], None], on_epoch: Callable[[Epoch], None], on_ensemble: Callable[[Score], None], *,
    cached: bool,
) -> None:  # fmt: skip
    from geocmer.errors import InputError
    from geocmer.training.baselines import train_baseline
    from geocmer.training.config import BASELINE_RATES
    from geocmer.training.ensemble import train as run
    from geocmer.training.feature_cache import bytes_needed, default_cache

    model = f"model {backbone.spec} on {backbone.device}"
    if cfg.method in BASELINE_RATES:
        note(f"{model}; {cfg.method} is for comparison: gradients through the towers, no cache, no weights written")
        if len(data) > 1:
            raise InputError(f"--method {cfg.method} trains on one set, not on {len(data)}")
        train_baseline(data[0], backbone, out, cfg, on_epoch)
        return
    cache = (cache or default_cache()) if cached else None
    images = sum(cfg.views if pair.split == "train" else pair.split == "val" for pairs in data for pair in pairs.pairs)
    space = f"features take {bytes_needed(backbone, images) / 1e6:,.0f} MB in {cache}" if cache else "no feature cache"
    note(f"{model}; {space}")
    with progress("features") as bar:
        run(data, backbone, out, cfg, cache=cache, on_features=bar, on_epoch=on_epoch, on_ensemble=on_ensemble)


def _figures(score: Score) -> str:
    """Name a validation figure: the mR of a captioned set, the accuracy of a labelled one, or the mean and both."""
    from geocmer.training.scores import Accuracy, Scores

    if isinstance(score, Scores):
        each = ", ".join(f"{name} {part.mean:.1f}" for name, part in score.by_set.items())
        return f"mean {score.mean:.2f} ({each})"
    return f"{'accuracy' if isinstance(score, Accuracy) else 'mR'} {score.mean:.2f}"


def _ignore(_: str) -> None:
    """Say nothing: only the first process of a `torchrun` speaks."""


def _data(
    pairs: list[str] | None, images: Path | None, store: str | None, seed: int, note: Callable[[str], None]
) -> list[PairSet]:
    """Read the sets, or make one of the tiles of a store and report how many were used."""
    from geocmer.errors import InputError

    if (not pairs) == (store is None):
        both = f"both {' '.join(pairs)} and --store {store} were given" if pairs else "nothing to train on"
        raise InputError(f"{both}; give either an annotation file or --store DIR")
    if pairs:
        from geocmer.datasets.duplicates import duplicate_warnings
        from geocmer.datasets.mixture import load_sets

        sets = load_sets(pairs, images)
        for warning in (
            w for name, data in zip(pairs, sets, strict=True) if "#" not in name for w in duplicate_warnings(data)
        ):
            note(f"warning: {warning}")
        return sets
    if images is not None:
        raise InputError(f"--images {images} belongs to an annotation file; tiles are read from their scenes")
    from geocmer.datasets.store_pairs import tile_pairs
    from geocmer.store.store import Store

    found = tile_pairs(Store.open(str(store)), seed=seed)
    note(found.summary)
    for warning in found.warnings:
        note(f"warning: {warning}")
    return [found.pairs]
