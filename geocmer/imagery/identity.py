"""What makes a scene this scene: the contents of all files that GDAL reads it from."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.session import DummySession

from .._files import hash_file
from .address import SceneAddress
from .origins import trusts_sources
from .remote_raster import inspect_raster, remote_hash

_MAX_DEPTH = 5
"""Of VRT files that name VRT files."""


def content_hash(path: Path, dataset: Any, part: str = "") -> str:
    """Hash a raster's content: blake2b-128 as 32 hex digits, equal for equal contents, wherever they lie.

    A raster of one file has the hash of that file. Others have the hash of the hashes of all: sidecars with their
    suffix, as they belong to a name, and the sources of a VRT in their order; of those on servers, what the server says
    of them. Overviews and statistics, which programs
    write beside a raster that they only look at, do not count.

    Args:
        path: of the raster.
        dataset: the same, open with rasterio.
        part: of the file, see `SceneAddress`.
    """
    own = hash_file(path)
    others = [(_role(path, file), _hash(file)) for file in _files(path, dataset) if file != path]
    others = [(role, value) for role, value in others if value]
    others += [("", remote_hash(address)) for address in _remote_files(dataset)]
    if part:
        others.append((part, ""))
    if not others:
        return own
    return hashlib.blake2b(repr((own, others)).encode(), digest_size=16).hexdigest()


def hash_scene(path: Path | str) -> str:
    """Hash the content of a raster that is not open; one that GDAL cannot open any more has the hash of its file.

    Of a scene on a server only what the server says of it is asked.

    Raises:
        OSError: the file cannot be read.
        InputError: the server does not give it.
    """
    address = SceneAddress.of(path)
    source = inspect_raster(address, trusts_sources(address))
    if source.hash is not None:
        return source.hash
    try:
        with warnings.catch_warnings(), rasterio.Env(session=DummySession(), **source.options):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(address.gdal_name) as dataset:
                return content_hash(address.path, dataset, address.part)
    except RasterioError:
        return hash_file(address.path)


def stamp(dataset: Any) -> tuple[tuple[str, int, int], ...]:
    """Note size and time of change of all files of an open raster on the disk, to see whether they are written to."""
    found = []
    for name in dataset.files:
        with suppress(OSError):
            status = Path(name).stat()
            found.append((name, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _remote_files(dataset: Any) -> list[SceneAddress]:
    """List what GDAL reads a raster from that is on servers."""
    return [address for address in map(SceneAddress.of, dataset.files) if address.remote]


def _files(path: Path, dataset: Any, depth: int = 0) -> Iterator[Path]:
    """Iterate what GDAL lists as the raster's files, and for a VRT the files of its sources, once each."""
    seen: set[Path] = set()
    for name in dataset.files:
        file = Path(name)
        if file in seen or not file.is_file() or file.suffix.lower() == ".ovr":
            continue
        seen.add(file)
        yield file
        if dataset.driver == "VRT" and file != path and depth < _MAX_DEPTH:
            try:
                with rasterio.open(file) as source:
                    nested = [found for found in _files(file, source, depth + 1) if found not in seen]
            except RasterioError:  # a sidecar, or what is no raster by itself
                continue
            seen |= set(nested)
            yield from nested


def _role(path: Path, file: Path) -> str:
    return file.name.removeprefix(path.stem) if file.name.startswith(path.stem) else ""


def _hash(file: Path) -> str:
    """Hash a file; of GDAL's own sidecar only what is not statistics: "" if nothing is left."""
    if not file.name.lower().endswith(".aux.xml"):
        return hash_file(file)
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError:
        return hash_file(file)
    for parent in list(root.iter()):
        for child in list(parent):
            statistics = child.tag == "MDI" and child.get("key", "").startswith("STATISTICS_")
            if statistics or child.tag == "Histograms":
                parent.remove(child)
    for _ in range(3):  # bands and metadata domains that are empty now
        for parent in list(root.iter()):
            for child in list(parent):
                if child.tag in {"PAMRasterBand", "Metadata"} and not len(child):
                    parent.remove(child)
    if not len(root):
        return ""
    canonical = ElementTree.canonicalize(ElementTree.tostring(root, "unicode"), strip_text=True)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
