"""Writing hits to a file, to a device or to stdout.

The suffix tells the format. Longitude and latitude (WGS84) in every one; polygons are cut at the antimeridian,
longitude first, exterior rings counter-clockwise, with 7 decimals (a centimetre), as RFC 7946 asks of GeoJSON. Hits are
written as they arrive, so memory stays flat however many there are.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .._files import drafts, naming_write_errors, require_folder
from ..errors import InputError
from ..search.results import Answer, Hit
from ..store.snapshot import Snapshot
from .format import Format, format_of, known_formats
from .options import ExportOptions
from .qgis_style import qml
from .stream import HitStream

STDOUT = "-"
DRAFT = "draft"
"""What a file is called, before its suffix, until it is whole."""


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
        hits: any number, none included; an `Answer` is read and written a page at a time.
        path: its suffix tells the format: see `known_formats`. `-`, a pipe or a device get GeoJSON without one.
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
    path, streamed = Path(path), _is_stream(Path(path))
    kind = require_writable(path, style=style)
    if source is None and isinstance(hits, Answer):
        source = hits.snapshot
    stream, options = HitStream(hits), ExportOptions(title, source, thumbnails, path)
    # A folder and not only a temporary name: some drivers lay files of their own beside the one asked for.
    with naming_write_errors(path), drafts(Path(tempfile.gettempdir()) if streamed else path.parent) as folder:
        draft = folder / f"{DRAFT}{kind.suffix}"  # not by its own name, in which GDAL may see an option
        kind.write(stream, draft, options)
        if streamed:
            _copy(draft, path)
        else:
            if style:
                (folder / f"{DRAFT}.qml").write_text(qml(stream, kind.score_column), encoding="utf-8")
            _move(draft, path, kind)
    return stream.count


def require_writable(path: Path, *, style: bool = False) -> Format:
    """Refuse a file that hits cannot be written to: to be called before the work whose result it will hold.

    Returns:
        Its format.

    Raises:
        InputError: as `write`.
    """
    streamed = _is_stream(path)
    kind = known_formats()[".geojson"] if streamed and not path.suffix else format_of(path)
    if style and (streamed or not kind.styled):
        raise InputError(f"{path}: a QGIS style does not go with it; leave --style out, or write .gpkg")
    if streamed and kind.beside:
        raise InputError(f"{path}: {kind.suffix} is several files and a pipe takes one; write another format there")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if kind.beside and path.suffix not in (kind.suffix, kind.suffix.upper()):  # its parts would not be found
        raise InputError(f"{path}: no program opens it; name it {path.with_suffix(kind.suffix)}")
    require_folder(path)
    return kind


def _is_stream(path: Path) -> bool:
    return str(path) == STDOUT or (path.exists() and not path.is_file() and not path.is_dir())


def _move(draft: Path, path: Path, kind: Format) -> None:
    """Take what lies beside the draft to its place, then the draft itself, and remove what belonged to the old file."""
    stem = path.name[: -len(kind.suffix)]
    for beside in sorted(draft.parent.iterdir()):
        if beside != draft:
            beside.replace(path.with_name(stem + beside.name.removeprefix(DRAFT)))
    draft.replace(path)
    for suffix in kind.outdated:
        path.with_name(stem + suffix).unlink(missing_ok=True)


def _copy(draft: Path, path: Path) -> None:
    """Send the draft down a pipe, or to a device."""
    with draft.open("rb") as file:
        if str(path) == STDOUT:
            sys.stdout.flush()
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with path.open("wb") as target:
                shutil.copyfileobj(file, target)
