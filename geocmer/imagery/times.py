"""Times: in UTC, and written with a Z."""

from __future__ import annotations

from datetime import UTC, datetime


def to_utc(moment: datetime) -> datetime:
    """Bring a time to UTC; one without a zone is in UTC.

    Raises:
        ValueError: it falls out of the years 1 to 9999 there.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} falls out of the years 1 to 9999 in UTC") from error


def utc_text(moment: datetime) -> str:
    """Write a time in UTC as STAC and most readers expect it, 2021-06-01T10:20:30Z."""
    return to_utc(moment).isoformat().replace("+00:00", "Z")


def now_text() -> str:
    """Write the time it is, in whole seconds."""
    return utc_text(datetime.now(UTC).replace(microsecond=0))
