"""`geocmer evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .console import progress, say
from .options import AdapterDir, Device, Json, Model, encoder_of


def command() -> Callable[..., None]:
    """Return the function that Typer makes the command of."""
    return evaluate


def evaluate(
    pairs: Annotated[
        Path | None, typer.Argument(help="Annotation file or folder of a captioned set (JSON, JSON lines, CSV).")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Score the tiles of this store instead, tiled with --landcover.")
    ] = None,
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
    """Measure how well images are found by words: in a captioned set, or in a store by its land cover.

    Of a captioned set: R@1, R@5, R@10 both ways and their mean, mR, on one split.

    Identical captions on different images tie. Ties are put in seeded random order; the row `ties: worst` counts
    every tie against the model.

    Where every image has a scene label there are rows for three label modes. `none`: words and pixels alone, the
    figure to compare. `predicted`: the images' labels are known, as land cover gives them; the captions' are
    predicted from their words, and images of unlikely classes score less. `oracle`: the captions' labels are known
    too, which leaks the class of the answer: an upper bound.

    Of a store: each land-cover category is asked for by its name. P@10 is the share of its tiles among the first ten
    hits, AP the average precision over all tiles, and chance what a random order would give.

    Example: geocmer evaluate rsicd/captions.json --split test
    """
    from geocmer.errors import InputError

    if seed < 0:
        raise InputError(f"--seed {seed} is negative; give 0 or more")
    if (pairs is None) == (store is None):
        both = f"both {pairs} and --store {store} were given" if pairs else "nothing to evaluate on"
        raise InputError(f"{both}; give either an annotation file or --store DIR")
    if store is not None:
        _evaluate_store(store, model, adapter, device, seed, as_json=as_json)
        return
    assert pairs is not None
    rows, title = _evaluate_pairs(pairs, split, images, model, adapter, device, seed, category_prior, shuffle=shuffle)
    if as_json or not sys.stdout.isatty():
        for row in rows:
            print(json.dumps(row))
        return
    print(title)
    print("labels     ties    I2T R@1/5/10          T2I R@1/5/10          mR")
    for row in rows:
        i2t, t2i = (" / ".join(f"{v:5.2f}" for v in row[k]) for k in ("i2t", "t2i"))
        note = "  (upper bound)" if row["labels"] == "oracle" else ""
        print(f"{row['labels']:<10} {row['ties']:<7} {i2t}  {t2i}  {row['mR']:5.2f}{note}")


def _evaluate_pairs(
    path: Path, split: str, images: Path | None, model: str | None, adapter: Path | None, device: str, seed: int,
    category_prior: float, *, shuffle: bool,
) -> tuple[list[dict[str, Any]], str]:  # fmt: skip
    """Measure the recalls in each label mode; return them and a line that says on what."""
    from geocmer.datasets.annotations import load_pairs
    from geocmer.evaluation.label_modes import label_mode_scores
    from geocmer.evaluation.recall import recall
    from geocmer.evaluation.similarity import pair_similarity

    data = load_pairs(path, images).split(split)
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
    return rows, f"{data.name} {split}: {len(data)} images, {len(owner)} captions"


def _evaluate_store(
    path: Path, model: str | None, adapter: Path | None, device: str, seed: int, *, as_json: bool
) -> None:
    """Print the score of each category, and their mean, in which every category counts the same."""
    from geocmer.evaluation.store_retrieval import category_scores, mean_score
    from geocmer.store.store import Store

    opened = Store.open(path)
    encoder = encoder_of(opened, model, adapter, device)
    scores = category_scores(opened.snapshot(), encoder.encode_texts, encoder.fingerprint, seed)
    codes = [score.category for score in scores if score.category.removeprefix("class ").isdigit()]
    if codes:
        say(f"warning: {', '.join(codes)} are codes, no words to ask for; tile again with --legend")
    scores.append(mean_score(scores))
    if as_json or not sys.stdout.isatty():
        for score in scores:
            print(json.dumps(score.to_json()))
        return
    width = max(len(score.category) for score in scores)
    print(f"{'category':<{width}}   tiles    P@10      AP  chance")
    for score in scores:
        shares = "  ".join(f"{share:6.3f}" for share in (score.precision, score.average_precision, score.chance))
        print(f"{score.category:<{width}}  {score.tiles:6}  {shares}")
