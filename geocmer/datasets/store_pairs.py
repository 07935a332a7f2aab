"""The tiles of a store as a captioned set, to train on one's own imagery."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import shapely

from ..errors import InputError
from ..store.store import Store
from ..store.tile_images import TileImage, TileImageReader
from .pairs import Pair, PairSet
from .spatial_split import BUFFER, TRAIN, VAL, split

MIN_TRAINING_TILES = 500
"""Fewer training tiles give a warning: an adapter mostly memorises them (RSICD, for comparison, has 8734)."""
MIN_CLASS_TILES = 20
"""Fewer training tiles of a class give a warning."""
_COLUMNS = ("id", "scene_id", "row", "col", "size", "gsd", "geometry", "category", "captions")


@dataclass(frozen=True, slots=True)
class TilePairs:
    """A captioned set made of a store.

    Attributes:
        pairs: with splits `train` and `val`.
        summary: how many tiles are in each split and how many were left out, in one line.
        warnings: reasons why an adapter trained on the set may be poor.
    """

    pairs: PairSet
    summary: str
    warnings: tuple[str, ...]


def tile_pairs(store: Store, share: float = 0.2, seed: int = 0) -> TilePairs:
    """Make a captioned set of the tiles of a store, split by place.

    Captions and categories are those that `geocmer tile --landcover` gave; pixels are read from the scenes when they
    are needed. No validation tile overlaps or touches a training tile (`spatial_split.split`).

    Args:
        store: tiled with land cover.
        share: share of the tiles to validate on.
        seed: of the split.

    Raises:
        InputError: the tiles have no categories, or are too few or too close together to be split.
    """
    rows = [row for batch in store.snapshot().scan(_COLUMNS) for row in batch.to_pylist()]
    captioned = sorted((row for row in rows if row["category"] and row["captions"]), key=lambda row: str(row["id"]))
    if not captioned:
        raise InputError(
            f"no tile of {store.path} has a category to make captions of; run `geocmer tile SCENE --landcover FILE`"
        )
    part = split(shapely.from_wkb([row["geometry"] for row in captioned]), share, seed)
    counts = Counter(part.tolist())
    if counts[TRAIN] < 2 or counts[VAL] < 2:
        raise InputError(
            f"the {len(captioned)} tiles with a category in {store.path} are too few to keep training and validation "
            f"apart ({counts[TRAIN]} and {counts[VAL]} tiles); tile more scenes, or in smaller tiles (--size)"
        )
    images = TileImageReader(store)
    # Scene by scene and row by row, as the pixels lie on disk.
    keys = [(row["scene_id"], row["row"], row["col"]) for row in captioned]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    pairs = tuple(
        Pair(
            TileImage(images, row["id"], row["scene_id"], row["row"], row["col"]),
            tuple(row["captions"]), str(part[i]), row["category"],
        )
        for i in order
        for row in [captioned[i]]
        if part[i] != BUFFER
    )  # fmt: skip
    summary = (
        f"{counts[TRAIN]} training and {counts[VAL]} validation tiles; left out: {counts[BUFFER]} between the two, "
        f"{len(rows) - len(captioned)} without a category"
    )
    sides = [row["size"] * row["gsd"] for i, row in enumerate(captioned) if part[i] == TRAIN]
    named = PairSet(Path(store.path).name, pairs, (min(sides), max(sides)))
    return TilePairs(named, summary, tuple(_warnings(pairs)))


def _warnings(pairs: tuple[Pair, ...]) -> list[str]:
    train, val = (Counter(str(p.scene) for p in pairs if p.split == s) for s in (TRAIN, VAL))
    found = []
    if train.total() < MIN_TRAINING_TILES:
        found.append(
            f"{train.total()} training tiles are few (under {MIN_TRAINING_TILES}): the adapter may memorise them; tile "
            "more scenes, or in smaller tiles or with a stride"
        )
    if len(train) < 3:
        found.append(
            f"only {len(train)} categories ({', '.join(sorted(train))}): there is little to tell apart; use land cover "
            "with more classes, or --rules"
        )
    rare = sorted(name for name, count in train.items() if count < MIN_CLASS_TILES)
    if rare:
        found.append(f"fewer than {MIN_CLASS_TILES} training tiles of: {', '.join(rare)}")
    unseen = sorted(set(val) - set(train))
    if unseen:
        found.append(f"in validation but not in training: {', '.join(unseen)}; try another --seed")
    return found
