"""A copy of what ranking reads, laid out for it: memory-mapped arrays beside the tables, derived from them.

It is never the source of truth. Its folder is named after the data files of the one version it was made from, so that
a sidecar of other rows is not found, and it gets that name only once it is whole. Deleting it loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ..geometry.extent import block_bounds
from ..geometry.region import Region
from .filter import Filter, boxes, inside
from .lance import is_local
from .schema import EXTENT
from .snapshot import Snapshot
from .vectors import halves

FOLDER = "sidecar"
"""Inside a store."""
BLOCK = 512
"""Rows whose extents are bounded together: a region is compared with blocks first. Stored rows lie scene by scene."""
MAKING = 3600.0
"""Seconds: a draft that was begun so long ago is not being made any more."""
PIECE = 65_536
"""Rows whose vectors are mapped at once, 50 MB at 384 numbers, where all are kept that are read."""
NEVER = np.iinfo(np.int64).min
"""Stands for "no time"."""
ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "rowids": ("u8", ()), "ids": ("S32", ()), "extents": ("f8", (4,)), "boxes": ("?", ()), "embedded": ("?", ()),
    "covered": ("?", ()), "categories": ("i4", ()), "times": ("i8", ()), "gsd": ("f4", ()),
}  # fmt: skip
"""Name -> type and further axes of the arrays that hold a value for every row."""


@dataclass(frozen=True)
class Sidecar:
    """The arrays, all in storage order of the n rows.

    Attributes:
        vectors: (n, dim) float16; zero where a tile is not embedded.
        rowids: (n,) `_rowid`.
        ids: (n,) 32 bytes.
        extents: (n, 4) unwrapped.
        boxes: (n,) True where the footprint is exactly its extent.
        embedded: (n,) True where there is a vector.
        covered: (n,) True where there is land cover.
        categories: (n,) index in `names`; the last name is None.
        times: (n,) microseconds since 1970, UTC, or `NEVER`.
        gsd: (n,) metres.
        names: the categories.
        classes: the land-cover labels.
        cover: for each label under each tile: the row, the index in `classes`, the share.
    """

    snapshot: Snapshot = field(repr=False)
    folder: Path
    vectors: NDArray[np.float16] = field(repr=False)
    rowids: NDArray[np.uint64] = field(repr=False)
    ids: NDArray[np.bytes_] = field(repr=False)
    extents: NDArray[np.float64] = field(repr=False)
    boxes: NDArray[np.bool_] = field(repr=False)
    embedded: NDArray[np.bool_] = field(repr=False)
    covered: NDArray[np.bool_] = field(repr=False)
    categories: NDArray[np.int32] = field(repr=False)
    times: NDArray[np.int64] = field(repr=False)
    gsd: NDArray[np.float32] = field(repr=False)
    names: list[str | None] = field(repr=False)
    classes: list[str] = field(repr=False)
    cover: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]] = field(repr=False)

    def select(self, filter: Filter) -> tuple[NDArray[np.intp], int]:
        """Rows, ascending, that truly meet a filter, embedded or not; and how many rows were looked at one by one."""
        area = filter.area
        if area is None:
            rows = np.arange(len(self.ids))
        else:
            rows = (np.flatnonzero(self._near(area))[:, None] * BLOCK + np.arange(BLOCK)).ravel()
            rows = rows[: np.searchsorted(rows, len(self.ids))]
        scanned = len(rows)
        if filter.category is not None:
            code = self.names.index(filter.category) if filter.category in self.names[:-1] else -1
            rows = rows[self.categories[rows] == code]
        start, end = filter.period
        if start or end:
            times = self.times[rows]
            keep = times != NEVER
            keep &= times >= _microseconds(start) if start else True
            keep &= times <= _microseconds(end) if end else True
            rows = rows[keep]
        finest, coarsest = filter.gsd or (None, None)
        if finest is not None:
            rows = rows[self.gsd[rows] >= np.float32(finest)]
        if coarsest is not None:
            rows = rows[self.gsd[rows] <= np.float32(coarsest)]
        if filter.shares is not None:
            rows = rows[self.covered[rows]]
            labels = filter.shares.labels(self.classes)
            rows = rows[filter.shares.holds(partial(self._share, rows, labels))]
        if area is not None:
            rows = rows[inside(area, self.extents[rows], lambda some: self.footprints(rows[some]))]
        return rows, scanned

    def footprints(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """Footprints of these rows; from the store only where a footprint is not its extent."""
        found = np.empty(len(rows), object)
        plain = self.boxes[rows]
        found[plain] = shapely.box(*self.extents[rows[plain]].T)
        if not plain.all():
            table = self.snapshot.take(self.rowids[rows[~plain]], ["geometry"])
            found[~plain] = shapely.from_wkb(table["geometry"].to_numpy())
        return found

    def pieces(self, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """The same rows, some at a time; behind each lot the vectors are unmapped, so that memory stays flat.

        The system would take back what is mapped only when it must, and count it as the process's until then.
        """
        advise = getattr(getattr(self.vectors.base, "_mmap", None), "madvise", None)
        for start in range(0, len(rows), PIECE):
            yield rows[start : start + PIECE]
            if advise is not None and hasattr(mmap, "MADV_DONTNEED"):  # not so on Windows
                advise(mmap.MADV_DONTNEED)

    @cached_property
    def _blocks(self) -> NDArray[np.float64]:
        return block_bounds(self.extents, BLOCK)

    def _near(self, area: Region) -> NDArray[np.bool_]:
        """Which blocks may hold a tile of the region."""
        xmin, ymin, xmax, ymax = self._blocks.T
        near = np.zeros(len(xmin), bool)
        for west, south, east, north in boxes(area, float(xmax.max(initial=-180))):
            near |= (xmin <= east) & (xmax >= west) & (ymin <= north) & (ymax >= south)
        return near

    @cached_property
    def _columns(self) -> dict[frozenset[str], NDArray[np.float64]]:
        return {}

    def _share(self, rows: NDArray[np.intp], labels: dict[str, frozenset[str]], name: str) -> NDArray[np.float64]:
        """The share that the labels of a name have of each row; a name asked for again is not added up again."""
        meant = labels[name]
        if meant not in self._columns:
            owner, codes, shares = self.cover
            hit = np.isin(codes, [self.classes.index(label) for label in meant])
            self._columns[meant] = np.bincount(owner[hit], shares[hit], len(self.ids)).astype(np.float64)
        share: NDArray[np.float64] = self._columns[meant][rows]
        return share


def fresh(snapshot: Snapshot) -> Sidecar | None:
    """The sidecar of exactly this version, if there is one."""
    if "sidecar" not in snapshot.cache and is_local(snapshot.path) and snapshot.encoder is not None:
        folder = Path(snapshot.path) / FOLDER / _name(snapshot)
        if folder.is_dir():
            with suppress(
                OSError, ValueError, EOFError
            ):  # damaged, or cleared by another process meanwhile: as if it were absent
                snapshot.cache["sidecar"] = _load(snapshot, folder)
    found: Sidecar | None = snapshot.cache.get("sidecar")
    return found


def build(snapshot: Snapshot) -> Sidecar | None:
    """Make the sidecar of a version, and clear those of others. None where none can be: nothing depends on it.

    None is made of an earlier version: it would take the place of the newest one's.
    """
    if snapshot.past or not is_local(snapshot.path) or snapshot.encoder is None or not snapshot.count():
        return None
    place = Path(snapshot.path) / FOLDER
    folder = place / _name(snapshot)
    try:
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=".") as draft:
            whole = Path(draft) / "whole"
            whole.mkdir()
            _fill(snapshot, whole)
            if folder.exists():  # found damaged, or made by another process meanwhile
                shutil.rmtree(folder)
            whole.replace(folder)
        for other in place.iterdir():
            if other != folder and not other.name.startswith("."):
                shutil.rmtree(other, ignore_errors=True)
    except OSError:  # a read-only or full disk: searching goes on without
        return None
    return fresh(snapshot)


def stale(snapshot: Snapshot) -> list[Path]:
    """Sidecars of other versions, damaged ones, and those that nobody goes on making."""
    place = Path(snapshot.path) / FOLDER
    if not is_local(snapshot.path) or not place.is_dir():
        return []
    whole = fresh(snapshot)
    others = [folder for folder in sorted(place.iterdir()) if whole is None or folder != whole.folder]
    return [folder for folder in others if not (folder.name.startswith(".") and _is_young(folder))]


def _is_young(draft: Path) -> bool:
    try:
        return draft.stat().st_mtime > time.time() - MAKING
    except FileNotFoundError:  # it has just become whole
        return True


def _name(snapshot: Snapshot) -> str:
    """Hash of the data files and deletions of a version, and of the encoder: equal names mean equal rows."""
    if "name" not in snapshot.cache:
        digest = hashlib.blake2b((snapshot.encoder.fingerprint if snapshot.encoder else "").encode(), digest_size=16)
        for fragment in snapshot.dataset.get_fragments():
            digest.update(json.dumps(fragment.metadata.to_json(), sort_keys=True, default=str).encode())
        snapshot.cache["name"] = digest.hexdigest()
    name: str = snapshot.cache["name"]
    return name


def _load(snapshot: Snapshot, folder: Path) -> Sidecar:
    def read(name: str) -> Any:
        return np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)

    names, classes = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("names", "classes"))
    cover = (read("cover_rows"), read("cover_codes"), read("cover_shares"))
    arrays = {name: read(name) for name in ("vectors", *ARRAYS)}
    return Sidecar(snapshot, folder, **arrays, names=names, classes=classes, cover=cover)


def _fill(snapshot: Snapshot, folder: Path) -> None:
    import pyarrow.compute as pc

    if snapshot.encoder is None:
        raise ValueError("a store without vectors has no sidecar")
    rows, column = snapshot.count(), snapshot.encoder.column
    arrays = {name: np.empty((rows, *axes), t) for name, (t, axes) in ARRAYS.items()}
    names: dict[str | None, int] = {}
    classes: dict[str, int] = {}
    cover: list[tuple[NDArray[Any], ...]] = []
    read = ["id", *EXTENT, "geometry", "datetime", "gsd", "category", "labels", "fractions", column]
    at = 0
    with (folder / "vectors.npy").open("wb") as file:  # not through a memory map, which would hold them all
        shape = {"descr": "<f2", "fortran_order": False, "shape": (rows, snapshot.encoder.dim)}
        np.lib.format.write_array_header_1_0(file, shape)
        for batch in snapshot.scan(read):
            part = slice(at, at + batch.num_rows)
            vectors, embedded = halves(batch[column])
            file.write(np.where(embedded[:, None], vectors, np.float16(0)).astype("<f2").tobytes())
            arrays["embedded"][part] = embedded
            arrays["rowids"][part] = batch["_rowid"].to_numpy()
            arrays["ids"][part] = np.array(batch["id"].to_pylist(), "S32")
            extents = np.column_stack([batch[name].to_numpy() for name in EXTENT])
            arrays["extents"][part] = extents
            arrays["boxes"][part] = _are_boxes(batch["geometry"].to_numpy(zero_copy_only=False), extents)
            arrays["covered"][part] = np.asarray(batch["labels"].is_valid())
            arrays["categories"][part] = _codes(batch["category"], names)
            arrays["times"][part] = batch["datetime"].cast("int64").fill_null(NEVER).to_numpy()
            arrays["gsd"][part] = batch["gsd"].to_numpy()
            owner = at + pc.list_parent_indices(batch["labels"]).to_numpy()
            shares = batch["fractions"].flatten().to_numpy().copy()  # a view would keep the whole batch
            cover.append((owner, _codes(batch["labels"].flatten(), classes), shares))
            at += batch.num_rows
        file.flush()
        os.fsync(file.fileno())
    last = len(names)
    arrays["categories"][arrays["categories"] < 0] = last
    for name, parts in zip(("rows", "codes", "shares"), zip(*cover, strict=True), strict=True):
        np.save(folder / f"cover_{name}.npy", np.concatenate(parts))
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "names.json").write_text(json.dumps([*names, None]), "utf-8")
    (folder / "classes.json").write_text(json.dumps([*classes]), "utf-8")


def _codes(column: Any, known: dict[Any, int]) -> NDArray[np.int32]:
    """Each word as a number, -1 for none; `known` is extended by new words."""
    encoded = column.dictionary_encode()
    numbers = [known.setdefault(word, len(known)) for word in encoded.dictionary.to_pylist()]
    codes: NDArray[np.int32] = np.array([*numbers, -1], np.int32)[encoded.indices.fill_null(len(numbers)).to_numpy()]
    return codes


def _are_boxes(wkb: NDArray[np.object_], extents: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which footprints are exactly their extents: four corners, each on it, and an area to match."""
    shapes = shapely.from_wkb(wkb)
    plain = (shapely.get_num_coordinates(shapes) == 5) & (shapely.get_type_id(shapes) == 3)
    corners = shapely.get_coordinates(shapes[plain]).reshape(-1, 5, 2)
    around = extents[plain]
    on = ((corners == around[:, None, :2]) | (corners == around[:, None, 2:])).all(axis=(1, 2))
    full = (around[:, 2] - around[:, 0]) * (around[:, 3] - around[:, 1])
    on &= (full > 0) & (shapely.area(shapes[plain]) > full / 2)
    plain[plain] = on
    result: NDArray[np.bool_] = plain
    return result


def _microseconds(moment: Any) -> int:
    return int(np.datetime64(moment.replace(tzinfo=None), "us").astype(np.int64))
