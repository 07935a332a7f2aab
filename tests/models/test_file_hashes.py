"""The hash of files is that of their bytes, whatever was noted of them; what was noted is not computed again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from geocmer._files import cache_folder
from geocmer.models import file_hashes
from geocmer.models.file_hashes import forget_hashes, hash_parts


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the notes, empty; files that were just written are noted too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(file_hashes, "MIN_AGE_NS", 0)
    assert cache_folder().is_relative_to(tmp_path)
    return cache_folder() / "hashes"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 1000)
    probe = tmp_path / "probe"
    while not probe.exists() or probe.stat().st_ctime_ns <= paths[1].stat().st_ctime_ns:  # until the clock moves on
        probe.touch()
    return paths


def expected(*parts: str | Path) -> str:
    content = b"".join(part.encode() if isinstance(part, str) else part.read_bytes() for part in parts)
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def test_files_are_read_once_and_again_when_they_are_to_be(
    notes: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = expected("settings", *files, "ü")
    assert hash_parts("settings", *files, "ü") == right
    (note,) = notes.iterdir()
    read: list[Path] = []

    def read_bytes(path: Path) -> bytes:
        read.append(path)
        return b""

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert hash_parts("settings", *files, "ü") == right
    assert read == []
    forget_hashes()
    assert not note.exists()
    assert hash_parts("settings", *files, "ü") != right, "nothing was read"
    assert read == files


def rewritten(path: Path) -> None:
    """Another content of the same size, with the old time of change put back."""
    before = path.stat()
    path.write_bytes(b"x" * 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    shutil.copy2(path, other)
    rewritten(other)
    other.replace(path)


def relinked(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"y" * 1000)
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize("change", [rewritten, replaced, relinked, lambda path: path.write_bytes(b"")])
def test_every_change_of_a_file_is_seen(notes: Path, files: list[Path], change: Callable[[Path], object]) -> None:
    before = hash_parts(*files)
    change(files[1])
    assert hash_parts(*files) == expected(*files) != before
    assert hash_parts(*files) == expected(*files), "from its note"


def test_the_order_and_the_texts_count(notes: Path, files: list[Path]) -> None:
    orders: list[tuple[str | Path, ...]] = [(*files,), (*reversed(files),), ("a", *files), (*files, "a"), (*files, "b")]
    for _ in range(2):
        for parts in orders:
            assert hash_parts(*parts) == expected(*parts)
    assert len(list(notes.iterdir())) == 5


def test_a_file_that_was_just_changed_is_not_noted(
    notes: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_hashes, "MIN_AGE_NS", 3_600_000_000_000)
    assert hash_parts(*files) == expected(*files)
    assert not notes.exists()


@pytest.mark.parametrize("hash_text", ["", "00", "g" * 32, None, 7])
def test_a_damaged_note_is_written_anew(notes: Path, files: list[Path], hash_text: object) -> None:
    hash_parts(*files)
    (note,) = notes.iterdir()
    whole = note.read_text()
    for text in (json.dumps({**json.loads(whole), "hash": hash_text}), "[", "[" * 100_000, "[]", "{}"):
        note.write_text(text)
        assert hash_parts(*files) == expected(*files)
        assert note.read_text() == whole


def test_a_cache_that_cannot_be_written_changes_nothing(notes: Path, files: list[Path]) -> None:
    notes.parent.parent.mkdir(exist_ok=True)
    notes.parent.write_text("a file in its place")
    assert hash_parts(*files) == expected(*files)
    forget_hashes()


def test_a_missing_file_is_an_error_though_it_was_noted(notes: Path, files: list[Path]) -> None:
    hash_parts(*files)
    files[0].unlink()
    with pytest.raises(FileNotFoundError):
        hash_parts(*files)
