"""Marks that people made: yes or no beside hits of an export, or on areas and points drawn on a map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.bbox import WGS84
from ..geometry.reproject import polygon_to_wgs84
from ..geometry.vector_file import crs_of, read_frame, reason_of, valid_polygons
from ..imagery.ids import is_id

COLUMN = "label"
"""Where the marks are looked for."""
YES, NO = frozenset({"yes", "y", "true", "t", "1", "1.0"}), frozenset({"no", "n", "false", "f", "0", "0.0"})
_LINES = (".jsonl", ".ndjson")
_BLANK = frozenset({"", "nan", "none", "<na>", "null"})


@dataclass(frozen=True, slots=True)
class Labels:
    """What was marked, n marks.

    Attributes:
        ids: (n,) of the tiles that were marked, "" for a mark on the ground.
        shapes: (n,) in WGS84, None where the id tells the tile.
        shows: (n,) True for yes.
    """

    ids: NDArray[np.str_]
    shapes: NDArray[np.object_]
    shows: NDArray[np.bool_]


def read_labels(path: str | Path, name: str, column: str | None = None, yes: Sequence[str] = ()) -> Labels:
    """Read the marks of a vector file, a CSV or JSON lines.

    A feature with a tile's `id` speaks of that tile, any other of the ground it covers. One without a mark is left out.

    Args:
        path: GeoJSON, GeoPackage, GeoParquet, CSV or what else GDAL reads; JSON lines as `geocmer search` prints them.
        name: of the concept; as a mark it means yes.
        column: that holds the marks, `label` if not given. Without one every area is a yes.
        yes: marks that mean yes; every other then means no. None: yes and no, true and false, 1 and 0.

    Raises:
        InputError: the file cannot be read, has nothing marked, or a mark is not understood.
        CRSError: areas without a CRS.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"label file {path} is not there; give a vector file, or hits that were marked yes or no")
    frame = _read(path, f"label file {path}")
    ids = np.array([value if is_id(value) else "" for value in _texts(frame, "id")], "<U32")
    marks = _marks(path, frame, ids, name, column, yes)
    marked = np.array([mark is not None for mark in marks], bool)
    shapes = _shapes(path, frame, marked & (ids == ""))
    usable = marked & ((ids != "") | np.array([shape is not None for shape in shapes], bool))
    if not usable.any():
        raise InputError(f"{path} has nothing marked in column {column or COLUMN!r}; write yes or no beside its hits")
    return Labels(ids[usable], shapes[usable], np.array([bool(mark) for mark in marks], bool)[usable])


def _read(path: Path, name: str) -> Any:
    """Read a file into a data frame, with geometry or without."""
    hint = "give a vector file, or hits that were marked yes or no"
    if path.suffix.lower() not in _LINES:
        # in what geocmer writes the hits stand before the lines to their partners and the styles
        return read_frame(path, name, lambda layers: next(iter(layers), None), hint)
    import pandas as pd

    try:
        lines = path.read_text("utf-8").split("\n")
        return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{name} cannot be read ({reason_of(error)}); {hint}") from error


def _texts(frame: Any, column: str) -> list[str]:
    """Read a column as texts without spaces around them; "" where there is none."""
    if column not in frame.columns:
        return [""] * len(frame)
    values = (str(value).strip() for value in frame[column])
    return ["" if value.casefold() in _BLANK else value for value in values]


def _marks(
    path: Path, frame: Any, ids: NDArray[np.str_], name: str, column: str | None, yes: Sequence[str]
) -> list[bool | None]:
    """Read what each feature says: True, False, or None for nothing."""
    if (column or COLUMN) not in frame.columns:
        columns = ", ".join(str(one) for one in frame.columns)[:200]
        if column is not None:
            raise InputError(f"{path} has no column {column!r}; it has {columns}")
        if (ids != "").any() or not hasattr(frame, "geometry"):
            raise InputError(
                f"{path} has no column {COLUMN!r} with yes or no beside its hits; add one, or name another with "
                "--label COLUMN"
            )
        return [True] * len(frame)
    texts = [text.casefold() for text in _texts(frame, column or COLUMN)]
    positive = frozenset(text.strip().casefold() for text in yes) or YES | {name.casefold()}
    unknown = sorted({text for text in texts if text and text not in positive | NO}) if not yes else []
    if unknown:
        raise InputError(
            f"{path} has marks that are neither yes nor no: {', '.join(unknown)[:80]}; tell which of them mean yes "
            f"with --yes {unknown[0]!r}"
        )
    return [None if not text else text in positive for text in texts]


def _shapes(path: Path, frame: Any, positive: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Read the wanted geometries, in WGS84; None where one is empty or not wanted."""
    shapes = np.full(len(frame), None, object)
    if not positive.any():
        return shapes
    if not hasattr(frame, "geometry") or not hasattr(frame, "crs"):
        raise InputError(f"{path} has rows with neither a tile's id nor a geometry; keep the column id of the hits")
    crs = crs_of(frame, path, f"label file {path}")
    frame = frame.set_crs(crs) if frame.crs is None else frame
    plain = frame.geometry.to_crs(WGS84)  # points and lines; the edges of areas are followed
    for row in np.flatnonzero(positive):
        shape = frame.geometry.iloc[row]
        if shape is None or shape.is_empty:
            continue
        if shape.geom_type in ("Polygon", "MultiPolygon"):
            areas = [polygon_to_wgs84(part, crs) for part in valid_polygons([shape])]
            shapes[row] = shapely.union_all(areas) if areas else None
        else:
            shapes[row] = shapely.force_2d(plain.iloc[row])
    return shapes
