"""The tiles of a store as a captioned set, to train on one's own imagery."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import shapely

from ..errors import InputError
from ..store.store import Store
from ..store.tile_images import Cutter, TilePicture
from .pairs import Pair, PairSet
from .spatial_split import BUFFER, TRAIN, VAL, split

FEW_TILES = 500
"""Under so many training tiles an adapter mostly learns them by heart (RSICD, for comparison, trains on 8734)."""
FEW_OF_A_CLASS = 20
_COLUMNS = ("id", "scene_id", "row", "col", "geometry", "category", "captions")


@dataclass(frozen=True, slots=True)
class TilePairs:
    """A captioned set made of a store.

    Attributes:
        pairs: with splits `train` and `val`.
        account: what became of the tiles, in one line.
        warnings: why the result may disappoint.
    """

    pairs: PairSet
    account: str
    warnings: tuple[str, ...]


def tile_pairs(store: Store, share: float = 0.2, seed: int = 0) -> TilePairs:
    """Captioned tiles of a store, split by place.

    Captions and categories are those that `geocmer tile --landcover` gave; pixels are cut from the scenes when asked
    for. No validation tile overlaps or touches a training tile (`blocks.split`).

    Args:
        store: tiled with land cover.
        share: of the tiles to validate on.
        seed: of the split.

    Raises:
        InputError: the tiles have no categories, or are too few or too close together to be split.
    """
    rows = [row for batch in store.snapshot().scan(_COLUMNS) for row in batch.to_pylist()]
    named = sorted((row for row in rows if row["category"] and row["captions"]), key=lambda row: str(row["id"]))
    if not named:
        raise InputError(
            f"no tile of {store.path} has a category to make captions of; run `geocmer tile SCENE --landcover FILE`"
        )
    part = split(shapely.from_wkb([row["geometry"] for row in named]), share, seed)
    counts = Counter(part.tolist())
    if counts[TRAIN] < 2 or counts[VAL] < 2:
        raise InputError(
            f"the {len(named)} tiles with a category in {store.path} are too few to keep training and validation apart "
            f"({counts[TRAIN]} and {counts[VAL]} tiles); tile more scenes, or in smaller tiles (--size)"
        )
    cutter = Cutter(store.scenes())
    # Scene by scene and row by row, as the pixels lie on disk.
    order = sorted(range(len(named)), key=lambda i: (named[i]["scene_id"], named[i]["row"], named[i]["col"]))
    pairs = tuple(
        Pair(
            TilePicture(cutter, row["id"], row["scene_id"], row["row"], row["col"]),
            tuple(row["captions"]), str(part[i]), row["category"],
        )
        for i in order
        for row in [named[i]]
        if part[i] != BUFFER
    )  # fmt: skip
    account = (
        f"{counts[TRAIN]} training and {counts[VAL]} validation tiles; left out: {counts[BUFFER]} between the two, "
        f"{len(rows) - len(named)} without a category"
    )
    return TilePairs(PairSet(Path(store.path).name, pairs), account, tuple(_warnings(pairs)))


def _warnings(pairs: tuple[Pair, ...]) -> list[str]:
    train, val = (Counter(str(p.scene) for p in pairs if p.split == s) for s in (TRAIN, VAL))
    found = []
    if train.total() < FEW_TILES:
        found.append(
            f"{train.total()} training tiles are few (under {FEW_TILES}): the adapter may learn them by heart; tile "
            "more scenes, or in smaller tiles or with a stride"
        )
    if len(train) < 3:
        found.append(
            f"only {len(train)} categories ({', '.join(sorted(train))}): there is little to tell apart; use land cover "
            "with more classes, or --rules"
        )
    rare = sorted(name for name, count in train.items() if count < FEW_OF_A_CLASS)
    if rare:
        found.append(f"fewer than {FEW_OF_A_CLASS} training tiles of: {', '.join(rare)}")
    unseen = sorted(set(val) - set(train))
    if unseen:
        found.append(f"in validation but not in training: {', '.join(unseen)}; try another --seed")
    return found
