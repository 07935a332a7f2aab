"""`geocmer evaluate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import geocmer
from geocmer.errors import InputError

from .console import printable, progress, say
from .options import AdapterDir, Device, Json, Model, open_collection


def evaluate(
    pairs: Annotated[
        Path | None,
        typer.Argument(help="Annotation file or folder of a captioned or labelled set (JSON, JSON lines, CSV)."),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="Score the tiles of this store instead, tiled with --landcover.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="train, val or test.")] = "test",
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images.")] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Control: assign the captions or labels to images at random.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of ties, and of every choice.")] = 0,
    category_prior: Annotated[
        float, typer.Option("--category-prior", help="Strength of the prior in the rows `labels: predicted`, 0 to 1.")
    ] = 0.2,
    panels: Annotated[
        Path | None, typer.Option("--panels", help="Folder for a picture of right and wrong answers.")
    ] = None,
    model: Model = None,
    adapter: AdapterDir = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure how well images are found by words: in a captioned or labelled set, or in a store by its land cover.

    Of a captioned set: R@1, R@5, R@10 both ways and their mean, mR, on one split.

    Identical captions on different images tie. Ties are put in seeded random order; the row `ties: worst` counts
    every tie against the model.

    Where every image has a scene label there are rows for three label modes. `none`: words and pixels alone, the
    figure to compare. `predicted`: the images' labels are known, as land cover gives them; the captions' are
    predicted from their words, and images of unlikely classes score less. `oracle`: the captions' labels are known
    too, which leaks the class of the answer: an upper bound.

    Of a labelled set: each class is asked for by the words of its label. Accuracy is the share of its images for which
    the words of a label of theirs come first of all, P@20 its share among the first twenty images, AP the average
    precision.

    Of a store: each land-cover category is asked for by its name. P@10 is the share of its tiles among the first ten
    hits, AP the average precision over all tiles, and chance what a random order would give.

    `--panels` draws for each question the best answers and the first wrong ones, framed green and red.

    Example: geocmer evaluate rsicd/captions.json --split test --panels panels
    """
    if seed < 0:
        raise InputError(f"--seed {seed} is negative; give 0 or more")
    if pairs is not None and store is None:
        with progress("images") as bar:
            rows = geocmer.evaluate(
                pairs, model=model, adapter=adapter, device=device, split=split, images=images, seed=seed,
                shuffle=shuffle, category_prior=category_prior, panels=panels, progress=bar, notify=say,
            )  # fmt: skip
    elif store is not None and pairs is None:
        rows = open_collection(store, model=model, adapter=adapter, device=device).evaluate(seed=seed, panels=panels)
    else:
        both = f"both {pairs} and --store {store} were given" if pairs else "nothing to evaluate on"
        raise InputError(f"{both}; give either an annotation file or --store DIR")
    if as_json or not sys.stdout.isatty():
        for row in rows:
            print(json.dumps(row))
    elif "mR" in rows[0]:
        _print_recalls(rows)
    else:
        _print_shares(rows)


def _print_recalls(rows: list[dict[str, Any]]) -> None:
    print("labels     ties    I2T R@1/5/10          T2I R@1/5/10          mR")
    for row in rows:
        i2t, t2i = (" / ".join(f"{v:5.2f}" for v in row[k]) for k in ("i2t", "t2i"))
        note = "  (upper bound)" if row["labels"] == "oracle" else ""
        print(f"{row['labels']:<10} {row['ties']:<7} {i2t}  {t2i}  {row['mR']:5.2f}{note}")


def _print_shares(rows: list[dict[str, Any]]) -> None:
    """Print a line for each class or category: its name, how many there are, and its shares."""
    name, count, *shares = rows[0]
    width = max(len(row[name]) for row in rows)
    print(f"{name:<{width}}  {count:>6}  {'  '.join(f'{share:>8}' for share in shares)}")
    for row in rows:
        print(printable(f"{row[name]:<{width}}  {row[count]:6}  {'  '.join(f'{row[share]:8.3f}' for share in shares)}"))
