"""Finding the image files that annotations name, also those written on another system."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from .._files import is_file
from ..errors import InputError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def find_image(name: str, folders: Sequence[Path], subfolders: Sequence[str] = ()) -> Path | None:
    """Find an image below folders; None if it is not there.

    An absolute path, of this system or of another one, is matched by its longest end that is there.

    Args:
        name: as annotated; backslashes may stand for slashes.
        folders: where to look, in order.
        subfolders: of each, where it may lie as well, as those of its split or class.

    Raises:
        InputError: the name leads out of the folders.
    """
    for spelling in dict.fromkeys((name, PureWindowsPath(name).as_posix())):
        if Path(os.path.normpath(spelling)).parts[:1] == ("..",):
            raise InputError(f"image {name!r} lies outside {folders[0]}; give the folder that holds all with --images")
        for end in _ends(spelling):
            for folder in folders:
                for path in (folder / end, *(folder / part / end for part in subfolders)):
                    if is_file(path):
                        return Path(os.path.normpath(path))
    return None


def _ends(name: str) -> Iterator[str]:
    """List the ends of an absolute path, the longest first; a relative path has to match as it is."""
    if not name.startswith("/") and not _DRIVE.match(name):
        yield name
        return
    parts = PurePosixPath(os.path.normpath(_DRIVE.sub("/", name, count=1))).parts[1:]
    yield from ("/".join(parts[i:]) for i in range(len(parts)))
