"""Hashes of the models' large files, kept while the files stay as they are: hashing takes a tenth of a search by words.

As to git's index, files are unchanged while their sizes, places on the disk and times of change are those that were
noted. Files that had just been changed when they were hashed are not noted: a clock may not tell another change apart.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from contextlib import suppress
from pathlib import Path

from .._files import cache_folder, write_atomically

MIN_AGE_NS = 2_000_000_000
"""Of a file's last change, for its hash to be noted."""


def hash_parts(*parts: str | Path) -> str:
    """Hash texts, and the contents of files, one after the other: blake2b-128 as 32 hex digits.

    Raises:
        OSError: a file cannot be read.
    """
    paths = [part.resolve() for part in parts if isinstance(part, Path)]
    before = _stamps(paths)
    key = hashlib.blake2b(repr([str(part) for part in (*parts, *paths)]).encode(), digest_size=16).hexdigest()
    noted = _read_note(key, before)
    if noted is not None:
        return noted
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part.read_bytes())
    old_enough = all(time.time_ns() - max(stamp[2:]) >= MIN_AGE_NS for stamp in before)
    if old_enough and _stamps(paths) == before:
        with suppress(OSError, RuntimeError):  # it is computed again where it cannot be noted
            file = _note(key)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps({"stamps": before, "hash": digest.hexdigest()}))
    return digest.hexdigest()


def forget_hashes() -> None:
    """Read every file again from now on, as where a disk may have changed one unasked."""
    with suppress(RuntimeError):
        shutil.rmtree(_note("").parent, ignore_errors=True)


def _stamps(paths: list[Path]) -> list[list[int]]:
    """Return size, place and times of change (ns) of files: what another content cannot have too."""
    found = [path.stat() for path in paths]
    return [[stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns] for stat in found]


def _read_note(key: str, stamps: list[list[int]]) -> str | None:
    """Return the hash that was noted of files with these stamps, if there is one."""
    try:
        note = json.loads(_note(key).read_text("utf-8"))
        return str(bytes.fromhex(note["hash"]).hex()) if note["stamps"] == stamps and len(note["hash"]) == 32 else None
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, RecursionError):
        return None


def _note(key: str) -> Path:
    return cache_folder() / "hashes" / f"{key}.json"
