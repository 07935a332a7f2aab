"""`geocmer evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from .console import progress
from .options import AdapterDir, Device, Json, Model, encoder_of


def command() -> Callable[..., None]:
    """Return the function that Typer makes the command of."""
    return evaluate


def evaluate(
    pairs: Annotated[
        Path, typer.Argument(help="Annotation file or folder of a captioned set (JSON, JSON lines, CSV).")
    ],
    split: Annotated[str, typer.Option("--split", help="train, val or test.")] = "test",
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images.")] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Control: assign the captions to images at random.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of ties, and of --shuffle.")] = 0,
    category_prior: Annotated[
        float, typer.Option("--category-prior", help="Strength of the prior in the rows `labels: predicted`, 0 to 1.")
    ] = 0.2,
    model: Model = None,
    adapter: AdapterDir = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure R@1, R@5, R@10 both ways and their mean, mR, on one split.

    Identical captions on different images tie. Ties are put in seeded random order; the row `ties: worst` counts
    every tie against the model.

    Where every image has a scene label there are rows for three label modes. `none`: words and pixels alone, the
    figure to compare. `predicted`: the images' labels are known, as land cover gives them; the captions' are
    predicted from their words, and images of unlikely classes score less. `oracle`: the captions' labels are known
    too, which leaks the class of the answer: an upper bound.

    Example: geocmer evaluate rsicd/captions.json --split test
    """
    import sys

    from geocmer.datasets.annotations import load_pairs
    from geocmer.errors import InputError
    from geocmer.evaluation.label_modes import label_mode_scores
    from geocmer.evaluation.recall import recall
    from geocmer.evaluation.similarity import pair_similarity

    if seed < 0:
        raise InputError(f"--seed {seed} is negative; give 0 or more")

    data = load_pairs(pairs, images).split(split)
    encoder = encoder_of(None, model, adapter, device)
    with progress("images") as bar:
        similarity, owner = pair_similarity(encoder, data, encoder.backbone.size, bar)
    if shuffle:
        import numpy as np

        owner = np.random.default_rng(seed).permutation(owner)
    rows = [
        {"labels": mode, "ties": ties, **recall(scores, owner, ties, seed).to_json()}
        for mode, scores in label_mode_scores(encoder, data, similarity, owner, category_prior).items()
        for ties in ("random", "worst")
    ]
    if as_json or not sys.stdout.isatty():
        for row in rows:
            print(json.dumps(row))
        return
    print(f"{data.name} {split}: {len(data)} images, {len(owner)} captions")
    print("labels     ties    I2T R@1/5/10          T2I R@1/5/10          mR")
    for row in rows:
        i2t, t2i = (" / ".join(f"{v:5.2f}" for v in row[k]) for k in ("i2t", "t2i"))  # type: ignore[attr-defined]
        note = "  (upper bound)" if row["labels"] == "oracle" else ""
        print(f"{row['labels']:<10} {row['ties']:<7} {i2t}  {t2i}  {row['mR']:5.2f}{note}")
