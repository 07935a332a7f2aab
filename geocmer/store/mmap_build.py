"""Writing the arrays of a memory-mapped cache from one version of a store."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .schema import EXTENT
from .snapshot import Snapshot
from .tile_columns import NO_TIME
from .vectors import EncoderInfo, to_numpy

ROW_ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "rowids": ("u8", ()), "ids": ("S32", ()), "extents": ("f8", (4,)), "boxes": ("?", ()), "embedded": ("?", ()),
    "covered": ("?", ()), "categories": ("i4", ()), "times": ("i8", ()), "gsd": ("f4", ()),
    "size": ("i4", ()),
}  # fmt: skip
"""Name -> type and further axes of the arrays that hold a value for every row, in storage order."""


def write_arrays(snapshot: Snapshot, encoder: EncoderInfo, folder: Path) -> None:
    """Write every array of a version into an empty folder, reading the store once at flat memory but for the arrays.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    import pyarrow.compute as pc

    rows, column = snapshot.count(), encoder.column
    arrays = {name: np.empty((rows, *axes), t) for name, (t, axes) in ROW_ARRAYS.items()}
    names: dict[str | None, int] = {}
    classes: dict[str, int] = {}
    cover: list[tuple[NDArray[Any], ...]] = []
    read = ["id", *EXTENT, "geometry", "datetime", "gsd", "size", "category", "labels", "fractions", column]
    start = 0
    with (folder / "vectors.npy").open("wb") as file:  # not through a memory map, which would hold them all
        shape = {"descr": "<f2", "fortran_order": False, "shape": (rows, encoder.dim)}
        np.lib.format.write_array_header_1_0(file, shape)
        for batch in snapshot.scan(read):
            part = slice(start, start + batch.num_rows)
            vectors, embedded = to_numpy(batch[column])
            file.write(np.where(embedded[:, None], vectors, np.float16(0)).astype("<f2").tobytes())
            arrays["embedded"][part] = embedded
            arrays["rowids"][part] = batch["_rowid"].to_numpy()
            arrays["ids"][part] = np.array(batch["id"].to_pylist(), "S32")
            extents = np.column_stack([batch[name].to_numpy() for name in EXTENT])
            arrays["extents"][part] = extents
            arrays["boxes"][part] = _are_boxes(batch["geometry"].to_numpy(zero_copy_only=False), extents)
            arrays["covered"][part] = np.asarray(batch["labels"].is_valid())
            arrays["categories"][part] = _codes(batch["category"], names)
            arrays["times"][part] = batch["datetime"].cast("int64").fill_null(NO_TIME).to_numpy()
            arrays["gsd"][part] = batch["gsd"].to_numpy()
            arrays["size"][part] = batch["size"].to_numpy()
            owner = start + pc.list_parent_indices(batch["labels"]).to_numpy()
            shares = batch["fractions"].flatten().to_numpy().copy()  # a view would keep the whole batch
            cover.append((owner, _codes(batch["labels"].flatten(), classes), shares))
            start += batch.num_rows
        file.flush()
        os.fsync(file.fileno())
    arrays["categories"][arrays["categories"] < 0] = len(names)
    for name, parts in zip(("rows", "codes", "shares"), zip(*cover, strict=True), strict=True):
        np.save(folder / f"cover_{name}.npy", np.concatenate(parts))
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "names.json").write_text(json.dumps([*names, None]), "utf-8")
    (folder / "classes.json").write_text(json.dumps([*classes]), "utf-8")


def _codes(column: Any, known: dict[Any, int]) -> NDArray[np.int32]:
    """Return each word as a number, -1 for none; `known` is extended by new words."""
    encoded = column.dictionary_encode()
    numbers = [known.setdefault(word, len(known)) for word in encoded.dictionary.to_pylist()]
    codes: NDArray[np.int32] = np.array([*numbers, -1], np.int32)[encoded.indices.fill_null(len(numbers)).to_numpy()]
    return codes


def _are_boxes(wkb: NDArray[np.object_], extents: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which footprints are exactly their extents: four corners, each on it, and an area to match."""
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
