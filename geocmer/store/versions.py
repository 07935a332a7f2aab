"""The versions of a table that can still be read: listing them, finding one, and clearing what nobody reads any more.

Every write makes a version. Most are steps of a run and soon forgotten; one that stayed the newest for a while is worth
coming back to. A version costs what was rewritten or removed since, not a copy of the table.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import InputError, StoreError
from ..imagery.times import to_utc
from .leases import leased_versions

GRACE = dt.timedelta(minutes=10)
"""A version is kept for so long after it was replaced, as somebody may still read it without a lease; and one that was
the newest for less is a step of a run."""
MIN_AGE = dt.timedelta(minutes=1)
"""The same where space is short: whoever opened it has taken its lease by then."""
RETENTION = dt.timedelta(days=30)
"""The store can be read as it was at any moment of these, steps of a run left out, if there is space."""
MAX_VERSIONS = 100
"""Versions kept beyond the grace: each is a file that a listing reads."""
MAX_EXTRA_SHARE = 0.4
"""All that is not in the newest version may weigh this share of it; beyond, the oldest versions go first. So a store
stays within 1.5 times its rows, manifests and indices included."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a table.

    Attributes:
        number: counted from 1.
        time: of the commit, UTC.
        rows: in the table.
        data_bytes: bytes of its data files.
    """

    number: int
    time: dt.datetime
    rows: int
    data_bytes: int

    def __str__(self) -> str:
        return f"{self.number} of {self.time:%Y-%m-%dT%H:%M:%SZ}"


def list_versions(table: Any) -> list[Version]:
    """List the versions that can be read, oldest first."""
    found = [
        Version(
            number=record["version"],
            time=record["timestamp"].astimezone(dt.UTC),  # Lance gives local time without a zone
            rows=int(record["metadata"]["total_rows"]),
            data_bytes=int(record["metadata"]["total_files_size"]),
        )
        for record in table.versions()
    ]
    return sorted(found, key=lambda version: version.number)


def parse_version(text: str) -> int | dt.datetime:
    """Parse a version number, or a moment: an ISO date (its last moment) or time, in UTC unless it says another zone.

    Raises:
        InputError: it is neither.
    """
    if text.isdecimal():
        return int(text)
    try:
        moment = dt.datetime.fromisoformat(text)
        if len(text) <= len("YYYY-MM-DD"):
            moment = dt.datetime.combine(moment, dt.time.max)
        return to_utc(moment)
    except ValueError as error:
        raise InputError(
            f"{text!r} is neither the number of a version nor a date or time, as 2026-01-31 or 2026-01-31T18:00"
        ) from error


def find_version(versions: Sequence[Version], requested: int | dt.datetime, path: str) -> Version:
    """Find the version of a number, or the newest at or before a moment.

    Args:
        versions: from `versions`.
        requested: the number, or a moment with a time zone.
        path: of the store, for the message.

    Raises:
        StoreError: it is not there (any more).
    """
    if isinstance(requested, int):
        found = [version for version in versions if version.number == requested]
    else:
        found = [version for version in versions if version.time <= requested]
    if found:
        return found[-1]
    by_number = isinstance(requested, int)
    what = f"version {requested}" if by_number else f"version of {requested:%Y-%m-%dT%H:%M:%SZ} or before"
    raise StoreError(
        f"the store {path} has no {what} that can be read; the oldest is {versions[0]}, the newest {versions[-1]} "
        f"(`geocmer info --store {path}` lists them)"
    )


def last_moment(versions: Sequence[Version], number: int) -> dt.datetime:
    """Return the last moment at which rows that belong to a version were written, in other tables too.

    That is before the next version, and within the grace.

    A scene's row follows its last tiles by less than a second; later rows belong to later versions, which may have been
    cleared.
    """
    at = next(place for place, version in enumerate(versions) if version.number == number)
    if at == len(versions) - 1:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
    return min(versions[at].time + GRACE, versions[at + 1].time - dt.timedelta(microseconds=1))


def superseded(versions: Sequence[Version], now: dt.datetime) -> list[int]:
    """Return the numbers of the versions to clear: steps of runs, and what is older than the retention.

    Args:
        versions: from `versions`.
        now: UTC.
    """
    cleared, kept = [], []
    for version, following in pairwise(versions):
        replaced, stayed = now - following.time, following.time - version.time
        if replaced > RETENTION or (replaced > GRACE and stayed < GRACE):
            cleared.append(version.number)
        elif replaced > GRACE:
            kept.append(version.number)
    return sorted(cleared + kept[:-MAX_VERSIONS])


def clear_versions(table: Any, folder: Path | None, now: dt.datetime | None = None) -> None:
    """Clear the versions that nobody reads any more, and the oldest others if their files take too much space.

    One that somebody holds a lease of stays, whatever its age.

    Args:
        table: as pylance has it.
        folder: of the table, to measure its files; None where it is no local folder, and then space is not limited.
        now: UTC.
    """
    now = now or dt.datetime.now(dt.UTC)
    for choose in (superseded, lambda versions, now: versions_over_budget(table, versions, folder, now)):
        numbers = sorted(set(choose(list_versions(table), now)) - (leased_versions(folder) if folder else set()))
        if numbers:
            table.cleanup_old_versions(versions=numbers)


def versions_over_budget(table: Any, versions: Sequence[Version], folder: Path | None, now: dt.datetime) -> list[int]:
    """Return the numbers of the oldest versions, if the files that only they hold exceed `MAX_EXTRA_SHARE`."""
    budget = MAX_EXTRA_SHARE * versions[-1].data_bytes
    if folder is None or len(versions) < 2 or _bytes(folder) <= versions[-1].data_bytes + budget:
        return []
    held = set(_files(table, versions[-1].number))
    extra = 0
    for at in range(len(versions) - 2, -1, -1):
        files = _files(table, versions[at].number)
        extra += sum(size for name, size in files.items() if name not in held)
        held |= set(files)
        if extra > budget and now - versions[at + 1].time > MIN_AGE:
            return [version.number for version in versions[: at + 1]]
    return []


def data_files(table: Any, versions: Sequence[Version]) -> set[str]:
    """Return the names of the data files that the versions hold; one that another process clears meanwhile has none."""
    names: set[str] = set()
    for version in versions:
        try:
            names |= set(_files(table, version.number))
        except (ValueError, OSError):
            continue
    return names


def _files(table: Any, number: int) -> dict[str, int]:
    """Return the bytes of each data file of a version, by name."""
    fragments = table.checkout_version(number).get_fragments()
    return {file.path: file.file_size_bytes or 0 for fragment in fragments for file in fragment.metadata.files}


def _bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder. Files may vanish meanwhile: other processes clear too."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total
