"""What a user names -> the scenes that are meant: files, addresses, globs, folders, lists, STAC, tables of scenes."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import InputError
from .address import SceneAddress
from .remote_file import list_folder, read_document
from .scene_source import SceneSource

FOLDER_SUFFIXES = (".tif", ".tiff", ".jp2", ".ntf", ".img")
"""What is taken from a folder. A VRT is not: it would show its neighbours a second time."""
LIST_SUFFIXES = (".txt", ".lst")
STAC_SUFFIXES = (".json", ".geojson")
TABLE_SUFFIXES = (".parquet", ".geoparquet")
_MAX_LISTS = 5
"""Of lists that name lists."""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What is taken from STAC documents and tables.

    Attributes:
        asset: of STAC items; by default `visual`, or the only image there is.
        max_cloud: percent; scenes with more are left out, those that do not say stay.
        trust_sources: let documents from servers name files of this computer.
    """

    asset: str | None = None
    max_cloud: float | None = None
    trust_sources: bool = False


def find_scenes(names: Sequence[str | Path], options: ListOptions | None = None) -> list[SceneSource]:
    """Find the scenes that names mean, each once, in their order.

    Args:
        names: a raster, on the disk or on a server; a folder, whose rasters all count; a glob; `@FILE`, or a FILE.txt
            with a name a line; a STAC item, collection or search (a JSON document, or the address of a search); a
            GeoParquet table of scenes.
        options: what is taken from STAC documents and tables.

    Raises:
        InputError: a name means no scene, or a list cannot be read.
    """
    options = options or ListOptions()
    found: dict[SceneSource, None] = {}
    for name in names:
        if not str(name).removeprefix("@").strip():
            raise InputError(f"{str(name)!r} names no scene, as a variable that is not set would; give a GeoTIFF")
        before = len(found)
        count = 0
        for source in _expand(str(name), options, 0):
            count += 1
            cloud = source.item.cloud_cover if source.item else None
            if options.max_cloud is None or cloud is None or cloud <= options.max_cloud:
                found.setdefault(source)
        if len(found) == before and not count:
            raise InputError(f"{name} holds no scene; give a GeoTIFF, or a folder, a list or STAC items of them")
    if not found:
        raise InputError(f"every scene has more than {options.max_cloud:g} % clouds; raise --max-cloud")
    return list(found)


def _expand(name: str, options: ListOptions, depth: int) -> Iterator[SceneSource]:
    if depth > _MAX_LISTS:
        raise InputError(f"{name} is named by a list of lists, more than {_MAX_LISTS} deep")
    if name.startswith("@"):
        yield from _of_list(SceneAddress.of(name[1:]), options, depth)
        return
    address = SceneAddress.of(name)
    if not address.remote and address.path.is_dir():
        yield from _of_folder(address.path)
    elif glob.has_magic(address.key if address.remote else name) and not _exists(address):
        yield from _of_glob(address)
    elif address.remote and not address.scheme.startswith("http") and name.endswith("/"):
        rasters = [found for found in list_folder(address) if found.suffix in FOLDER_SUFFIXES]
        yield from map(SceneSource, rasters)
    elif address.suffix in LIST_SUFFIXES:
        yield from _of_list(address, options, depth)
    elif address.suffix in TABLE_SUFFIXES:
        from .scene_table import scenes_of_table

        yield from scenes_of_table(address, options.asset, options.trust_sources)
    elif address.suffix in STAC_SUFFIXES or _is_search(address):
        from .stac import scenes_of_stac

        yield from scenes_of_stac(address, parse_json(address), options.asset, options.trust_sources)
    else:
        yield SceneSource(address)


def parse_json(address: SceneAddress) -> dict[str, Any]:
    """Read a JSON object from the disk or a server.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        value = json.loads(read_document(address))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{address} is not JSON ({str(error)[:80]})") from error
    if not isinstance(value, dict):
        raise InputError(f"{address} is not a STAC item, collection or search result")
    return value


def _of_list(address: SceneAddress, options: ListOptions, depth: int) -> Iterator[SceneSource]:
    """Read a name a line, relative to the current folder as GDAL's tools have it; `#` begins a comment."""
    try:
        text = read_document(address).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"list {address} is not UTF-8 text with a name a line") from error
    for line in text.splitlines():
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        if address.remote and not options.trust_sources and not SceneAddress.of(name.removeprefix("@")).remote:
            raise InputError(f"list {address} names the file {name}; if you trust it, add --trust-sources")
        yield from _expand(name, options, depth + 1)


def _of_folder(folder: Path) -> Iterator[SceneSource]:
    files = (path for path in folder.rglob("*") if path.suffix.lower() in FOLDER_SUFFIXES and path.is_file())
    for path in sorted(files):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield SceneSource(SceneAddress(str(path)))


def _of_glob(address: SceneAddress) -> Iterator[SceneSource]:
    """Expand `*`, `?`, `[...]` and `**`, as a shell would that does not see the server."""
    if not address.remote:
        for name in sorted(glob.glob(address.uri, recursive=True)):  # noqa: PTH207 - Path.glob takes no whole paths
            if Path(name).is_file():
                yield SceneSource(SceneAddress(name))
        return
    fixed = address.uri[: next(i for i, sign in enumerate(address.uri) if sign in "*?[")]
    folder = SceneAddress(fixed.rpartition("/")[0] + "/")
    pattern = address.uri.split("/")
    for found in list_folder(folder):
        if _matches(found.uri.split("/"), pattern):
            yield SceneSource(found)


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """Tell whether the parts of a name match those of a pattern, where `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _exists(address: SceneAddress) -> bool:
    """Tell whether a name with `[` or `?` in it is that of a file; an address with a query is no glob."""
    return address.path.exists() if not address.remote else address.scheme.startswith("http")


def _is_search(address: SceneAddress) -> bool:
    """Tell whether an address is that of a STAC API: `/search`, or `/collections/NAME[/items[/ID]]`."""
    parts = address.uri.partition("?")[0].rstrip("/").split("/")
    return (
        address.scheme.startswith("http") and not address.suffix and ("collections" in parts or parts[-1] == "search")
    )
