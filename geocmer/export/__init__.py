"""Hits -> a file that opens in QGIS, geopandas, DuckDB, a STAC browser, a spreadsheet or a web browser.

The suffix tells the format. Longitude and latitude (WGS84) in every one; polygons are cut at the antimeridian,
longitude first, exterior rings counter-clockwise, with 7 decimals (a centimetre), as RFC 7946 asks of GeoJSON. Hits are
written as they arrive, so memory stays flat however many there are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import InputError
from ..search.results import Hit
from ..store.snapshot import Snapshot
from .html_map import page
from .options import Options
from .qgis_style import qml
from .record import COLUMNS, attributes, feature
from .stac import SUFFIX, stac
from .stream import Stream
from .table import flatgeobuf, geopackage, geoparquet
from .text import geojson, lines, sequence, spreadsheet

__all__ = ["COLUMNS", "FORMATS", "Stream", "attributes", "feature", "write"]

FORMATS: dict[str, Callable[[Stream, Path, Options], None]] = {
    ".geojson": geojson,
    ".geojsonl": lines,
    ".geojsons": sequence,
    ".gpkg": geopackage,
    ".fgb": flatgeobuf,
    ".parquet": geoparquet,
    SUFFIX: stac,
    ".csv": spreadsheet,
    ".html": page,
}
"""Suffix -> writer. A new format is a function and a line here."""


def write(
    hits: Iterable[Hit],
    path: str | Path,
    *,
    title: str = "",
    source: Snapshot | None = None,
    thumbnails: bool = False,
    style: bool = False,
) -> int:
    """Write hits to a file, whole or not at all: a failure leaves an existing file as it was.

    Args:
        hits: any number, none included; an `Answer` or `Related` is written a page at a time.
        path: its suffix tells the format: see `FORMATS`.
        title: what the hits are, for people: the words that were searched for.
        source: the store that answered, at its version; an answer knows its own.
        thumbnails: write the pictures too: as bytes in tables, as `data:` addresses in text.
        style: write a QGIS style beside the file, under its name with the suffix `.qml`.

    STAC writes the model that made the vectors beside the file, as `NAME.model.json`.
    A map page always has its pictures, and holds 10,000 hits at most.

    Returns:
        How many hits were written.

    Raises:
        InputError: the suffix is not known, the format cannot hold what is asked for, or the file cannot be written.
    """
    path = Path(path)
    suffix = _suffix(path)
    if style and suffix == ".html":
        raise InputError(f"{path}: a QGIS style does not go with a map page; leave --style out, or write .gpkg")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it, or write elsewhere")
    if source is None:  # an answer knows it; of a relation too, whose module is slow to import
        source = getattr(hits, "snapshot", None)
    stream = Stream(hits)
    try:
        # A folder and not only a temporary name: some drivers lay files of their own beside the one asked for.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".geocmer-") as folder:
            draft = Path(folder) / path.name
            FORMATS[suffix](stream, draft, Options(title, source, thumbnails))
            if suffix == SUFFIX:
                model = f"{path.name[: -len(SUFFIX)]}.model.json"
                (Path(folder) / model).replace(path.with_name(model))
            if style:
                draft.with_suffix(".qml").write_text(
                    qml(stream, "geocmer:score" if suffix == SUFFIX else "score"), encoding="utf-8"
                )
                draft.with_suffix(".qml").replace(path.with_suffix(".qml"))
            draft.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space, or write elsewhere"
        ) from error
    return stream.count


def _suffix(path: Path) -> str:
    """The longest suffix that is known."""
    name = path.name.lower()
    for suffix in sorted(FORMATS, key=len, reverse=True):
        if name.endswith(suffix) and name != suffix:
            return suffix
    raise InputError(f"{path}: cannot tell the format from the suffix {path.suffix!r}; use one of {', '.join(FORMATS)}")
