"""`geocmer train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import geocmer
from geocmer.errors import InputError

from .console import progress, say
from .options import Device, open_collection

if TYPE_CHECKING:
    from geocmer.training.loop import Epoch
    from geocmer.training.reliability import Reliability
    from geocmer.training.scores import Score


def train(
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Annotation files or folders of captioned sets (JSON, JSON lines, CSV), or of labelled ones; "
            "FILE#word=snow and FILE#sample=500 are parts of one, FILE#mosaics=1500, FILE#snow=300 and FILE#clouds=300 "
            "are made of one."
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="Train on the tiles of this store instead, tiled with --landcover.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the adapter.")] = Path("adapter"),
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Frozen towers, as for `geocmer tile`. [bundled, or those of the store]"),
    ] = None,
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
    if (not pairs) == (store is None):
        both = f"both {' '.join(pairs)} and --store {store} were given" if pairs else "nothing to train on"
        raise InputError(f"{both}; give either an annotation file or --store DIR")
    options: dict[str, Any] = {"method": method, "epochs": epochs, "batch": batch, "learning_rate": learning_rate}
    options |= {"views": views, "seed": seed, "config": config, "images": images, "cache_dir": cache_dir}
    options |= {"cached": not no_cache, "on_epoch": _print_epoch, "on_ensemble": _print_ensemble}
    options |= {"on_calibration": _print_calibration}
    with progress("features") as bar:
        if pairs:
            folder = geocmer.train(pairs, out, model=model, device=device, notify=say, progress=bar, **options)
        else:
            folder = open_collection(str(store), model=model, device=device).train(out, progress=bar, **options)
    if int(os.environ.get("RANK", "0")) == 0:  # the first process of a `torchrun` speaks
        print(folder)


def _print_epoch(epoch: Epoch) -> None:
    mark = " *" if epoch.best else ""
    figures = f"loss {epoch.loss:.3f}  validation {_figures(epoch.val)}{mark}"
    member = f"member {epoch.member + 1}/{epoch.members}  " if epoch.members > 1 else ""
    say(f"{member}epoch {epoch.number + 1}/{epoch.epochs}  {figures}")


def _print_ensemble(score: Score) -> None:
    say(f"all members together: validation {_figures(score)}")


def _print_calibration(found: Reliability | str) -> None:
    say(found if isinstance(found, str) else f"probabilities of hits: {found.lines()[1]}")


def _figures(score: Score) -> str:
    """Name a validation figure: the mR of a captioned set, the accuracy of a labelled one, or the mean and both."""
    from geocmer.training.scores import Accuracy, Scores

    if isinstance(score, Scores):
        each = ", ".join(f"{name} {part.mean:.1f}" for name, part in score.by_set.items())
        return f"mean {score.mean:.2f} ({each})"
    return f"{'accuracy' if isinstance(score, Accuracy) else 'mR'} {score.mean:.2f}"
