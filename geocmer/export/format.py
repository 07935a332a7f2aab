"""What an export format is, and which ones there are: every module of `formats` names its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .options import ExportOptions

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from .stream import HitStream


@dataclass(frozen=True, slots=True)
class Format:
    """A format that hits can be written in.

    Attributes:
        suffix: of its files, in lower case; it may have two dots.
        name: of the format, with what is special about its files.
        good_for: what people use it for.
        write: writes a stream of hits to a path. What it writes beside, under that name with another suffix, is kept.
        styled: whether a QGIS style may lie beside the file.
        score_column: what the score is called in it.
        beside: suffixes of further files without which none can read it.
        outdated: suffixes of files that other programs lay beside it, which are removed with the file they belong to.
        write_frame: writes a table of polygons that are no hits, WGS84, to a path, with the stem of the file's own name
            for those that name their layer; None where there is no such file.
    """

    suffix: str
    name: str
    good_for: str
    write: Callable[[HitStream, Path, ExportOptions], None]
    styled: bool = True
    score_column: str = "score"
    beside: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    write_frame: Callable[[GeoDataFrame, Path, str], None] | None = None


@cache
def known_formats() -> dict[str, Format]:
    """Collect the formats by suffix, from `FORMATS` of each module in `formats`."""
    package = importlib.import_module(f"{__package__}.formats")
    names = [found.name for found in _modules(list(package.__path__))]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    every = [one for module in modules for one in module.FORMATS]
    return {one.suffix: one for one in sorted(every, key=lambda one: one.suffix)}


def format_of(path: Path) -> Format:
    """Find the format of a file by the longest suffix that is known, in any case.

    Raises:
        InputError: the suffix is not known.
    """
    name, known = path.name.lower(), known_formats()
    for suffix in sorted(known, key=len, reverse=True):
        if name.endswith(suffix) and name != suffix:
            return known[suffix]
    raise InputError(f"{path}: cannot tell the format from the suffix {path.suffix!r}; use one of {', '.join(known)}")


def _modules(path: list[str]) -> list[pkgutil.ModuleInfo]:
    return sorted(pkgutil.iter_modules(path), key=lambda found: found.name)
