"""Which tiles the marks of a person speak of, and the tiles that stand for the rest of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.bbox import BBox
from ..geometry.merge import touching_pairs
from ..store.filter import EVERY_TILE, Filter
from ..store.scan import matches
from ..store.snapshot import Snapshot
from ..store.vectors import to_numpy
from .concept_fit import Examples
from .labels import Labels

if TYPE_CHECKING:
    import pyarrow as pa

MIN_COVERED_SHARE = 0.5
"""A mark speaks of a tile if it covers this share of it, or this share of it lies in the tile."""
POINT_MARGIN = 1e-6
"""Degrees around all marks in which tiles are looked for: a box around a single point would have no area."""
Marks: TypeAlias = dict[str, bool]


def gather_examples(
    snapshot: Snapshot, labels: Labels, drawn: int, notify: Callable[[str], None], seed: int = 0
) -> Examples:
    """Read the vectors of marked tiles, and of tiles drawn at random away from every mark, to stand for no.

    Args:
        snapshot: of a store with vectors.
        labels: the marks.
        drawn: tiles to draw; as many as there are, if there are fewer.
        notify: gets a line about marks that are not used.
        seed: of the choice.

    Raises:
        InputError: no mark speaks of a tile.
        StoreError: the store has no vectors.
    """
    marks = _marks_by_id(labels, notify)
    marks = {**_marks_on_ground(snapshot, labels, notify), **marks}
    if not marks:
        raise InputError(
            f"no mark speaks of a tile of {snapshot.path}; mark hits of this store, or areas that it covers"
        )
    vectors, places, ids = _read(snapshot, sorted(marks))
    missing = len(marks) - len(ids)
    if missing:
        notify(f"{missing} marked tiles are not in the store, or have no vector yet; they are left out")
    shows = np.array([marks[name] for name in ids], bool)
    others = _draw(snapshot, drawn, places, labels, set(marks), seed) if drawn else []
    more, around, _ = _read(snapshot, others)
    return Examples(
        np.concatenate([vectors, more]),
        np.concatenate([places, around]),
        np.concatenate([shows, np.zeros(len(more), bool)]),
        np.repeat([False, True], [len(vectors), len(more)]),
    )


def _marks_by_id(labels: Labels, notify: Callable[[str], None]) -> Marks:
    named = labels.ids != ""
    yes = set(labels.ids[named & labels.shows].tolist())
    no = set(labels.ids[named & ~labels.shows].tolist())
    if yes & no:
        notify(f"{len(yes & no)} tiles are marked both yes and no; they are left out")
    return {**dict.fromkeys(yes - no, True), **dict.fromkeys(no - yes, False)}


def _marks_on_ground(snapshot: Snapshot, labels: Labels, notify: Callable[[str], None]) -> Marks:
    """Find the tiles that marks on the ground speak of; what a yes touches without speaking of it is no no."""
    drawn = labels.ids == ""
    marks: Marks = {}
    if not drawn.any():
        return marks
    shapes, shows = labels.shapes[drawn], labels.shows[drawn]
    unsure = 0
    around = Filter(BBox.around(shapely.total_bounds(shapes).tolist(), POINT_MARGIN))
    for _, batch in matches(snapshot, around, ("id", "geometry")):
        tiles = shapely.from_wkb(batch["geometry"].to_numpy(zero_copy_only=False))
        names = batch["id"].to_pylist()
        at, which = shapely.STRtree(shapes).query(tiles, predicate="intersects")
        meant = _speaks_of(shapes[which], tiles[at])
        touched = {showing: set(at[shows[which] == showing].tolist()) for showing in (True, False)}
        found = {showing: set(at[meant & (shows[which] == showing)].tolist()) for showing in (True, False)}
        no = found[False] - touched[True]
        unsure += len((touched[True] | touched[False]) - found[True] - no)
        marks |= {**{names[i]: True for i in found[True]}, **{names[i]: False for i in no}}
    if unsure:
        notify(f"{unsure} tiles are touched by marks that cover less than half of them; they are left out")
    return marks


def _speaks_of(shapes: NDArray[np.object_], tiles: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which marks (n,) speak of the tiles (n,) beside them."""
    common = shapely.intersection(shapes, tiles)
    dimension = shapely.get_dimensions(shapes)
    size = np.where(dimension == 2, shapely.area(shapes), shapely.length(shapes))
    inside = np.where(dimension == 2, shapely.area(common), shapely.length(common))
    within = np.where(dimension == 0, True, inside >= MIN_COVERED_SHARE * size)
    covered: NDArray[np.bool_] = shapely.area(common) >= MIN_COVERED_SHARE * shapely.area(tiles)
    return covered | within


def _draw(
    snapshot: Snapshot, count: int, places: NDArray[np.object_], labels: Labels, marked: set[str], seed: int
) -> list[str]:
    """Draw the ids of embedded tiles that touch neither a marked tile nor a mark."""
    marks = np.concatenate([places, labels.shapes[labels.ids == ""]])
    ids = np.concatenate([np.empty(0, "S32"), *(_names(batch) for _, batch in matches(snapshot, EVERY_TILE, ("id",)))])
    rng = np.random.default_rng(seed)
    chosen: list[str] = []
    order = rng.permutation(len(ids))
    for start in range(0, len(ids), max(count, 1000)):
        some = [name.decode() for name in ids[order[start : start + max(count, 1000)]]]
        _, shapes, names = _read(snapshot, [name for name in some if name not in marked])
        near = set(touching_pairs(shapes, marks)[0].tolist())
        chosen += [name for number, name in enumerate(names) if number not in near]
        if len(chosen) >= count:
            break
    return chosen[:count]


def _names(batch: pa.RecordBatch) -> NDArray[np.bytes_]:
    return np.array(batch["id"].to_pylist(), "S32")


def _read(snapshot: Snapshot, ids: list[str]) -> tuple[NDArray[np.float16], NDArray[np.object_], list[str]]:
    """Read vectors, footprints and ids of the tiles of these ids that are embedded, in the order of the store."""
    from pyarrow.compute import field

    info = snapshot.require_encoder()
    vectors, places = [np.empty((0, info.dim), np.float16)], [np.empty(0, object)]
    names: list[str] = []
    for start in range(0, len(ids), 1000):
        for batch in snapshot.scan(["id", "geometry", info.column], field("id").isin(ids[start : start + 1000])):
            found, embedded = to_numpy(batch[info.column])
            rows = batch.filter(embedded) if not embedded.all() else batch
            vectors.append(found[embedded].copy())
            places.append(shapely.from_wkb(rows["geometry"].to_numpy(zero_copy_only=False)))
            names += rows["id"].to_pylist()
    return np.concatenate(vectors), np.concatenate(places), names
