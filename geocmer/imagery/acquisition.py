"""When a scene was taken, and who says so: the user, the file's tags, a STAC item, the file's name, the file's date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import InputError
from .address import SceneAddress
from .sensor import time_in_name
from .times import to_utc

_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?")
_ACQUISITION_TAGS = (  # lower case, without separators; GDAL's IMAGERY domain and NITF, Landsat, Sentinel, ENVI,
    # Planet, DIMAP (SPOT, Pleiades), ACDD of netCDF files, EXIF of cameras
    "acquisitiondatetime", "acquisitiontime", "acquisitiondate", "datetime", "acquired", "dateacquired", "imagedate",
    "sensingtime", "datastripsensingtime", "datatake1datatakesensingstart", "generalsensingtime", "nitfidatim",
    "startdatetime", "sensingstart", "productstarttime", "acquisitionstart", "acquisitionstarttime", "imagedatetime",
    "starttime", "collectiondate", "dateobserved", "observationdate", "flightdate", "imagingdate",
    "ncglobaltimecoveragestart", "exifdatetimeoriginal",
)  # fmt: skip
_CLOCK_TAGS = ("scenecentertime", "acquisitiontime", "timeacquired", "imagetime", "imagingtime")
_SINCE = re.compile(r"(second|minute|hour|day)s? since (.+)", re.IGNORECASE)
_FORMS = (
    "%Y:%m:%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y:%m:%d",
    "%Y/%m/%d",
    "%Y%m%d%H%M%S",
    "%d-%b-%Y",
    "%d-%b-%Y %H:%M:%S",
)


@dataclass(frozen=True, slots=True)
class Acquisition:
    """A time in UTC, or None, and where it comes from, for people."""

    datetime: datetime | None
    source: str

    @property
    def note(self) -> str:
        """Say when, and how that is known."""
        return (
            self.source if self.datetime is None else f"taken {self.datetime:%Y-%m-%d %H:%M:%S} UTC, from {self.source}"
        )


def find_acquisition(
    path: SceneAddress, dataset: Any, given: datetime | None = None, given_by: str = "what was given"
) -> Acquisition:
    """Find when an open raster was taken: the most trustworthy source wins, and is named.

    Args:
        path: the raster.
        dataset: open with rasterio.
        given: the user's own word, or that of the list that names the scene.
        given_by: whose word.
    """
    if given is not None:
        return Acquisition(given, given_by)
    tags = {_plain(key): str(value) for space in (None, "IMAGERY") for key, value in dataset.tags(ns=space).items()}
    named = time_in_name(path.name)
    for time, source in _tagged(tags):
        return Acquisition(time, source)
    item = None if path.remote else _stac_time(path.path)
    if item is not None:
        return item
    if named is not None:
        return Acquisition(named[0], f"the {named[1]} file name")
    time_of_file = parse_time(tags.get("tifftagdatetime", ""))
    if time_of_file is not None:
        return Acquisition(time_of_file, "TIFFTAG_DATETIME, which may be when the file was made")
    return Acquisition(None, "no acquisition time in the tags or the file name; give it with --datetime")


def time_of(value: Any) -> datetime | None:
    """Read a time in UTC from a cell of a table: a time, a date or text; None if it is none of them."""
    if isinstance(value, datetime):
        return to_utc(value)
    return parse_time(value.isoformat() if isinstance(value, date) else str(value or ""))


def parse_time(text: str) -> datetime | None:
    """Read a time in UTC from ISO 8601, with fractions and offsets, or a form that files use; None if it is neither."""
    text = re.sub(r"\s*(?:UTC|GMT)$", "Z", text.strip().strip('"'), flags=re.IGNORECASE)
    candidates: list[datetime] = []
    if not re.fullmatch(r"\d{4}(?:\d{2})?|\d{7}", text):  # a bare year or number is no time
        with suppress(ValueError):
            candidates.append(datetime.fromisoformat(text))
    for form in _FORMS if not candidates else ():
        try:
            candidates.append(datetime.strptime(text, form))  # noqa: DTZ007 - the zone is set below
            break
        except ValueError:
            continue
    if not candidates or candidates[0].year < 1850:
        return None
    with suppress(ValueError):
        return to_utc(candidates[0])
    return None


def parse_datetime(text: str) -> datetime:
    """Read the user's own time.

    Raises:
        InputError: it is none.
    """
    found = parse_time(text)
    if found is None:
        raise InputError(
            f"datetime {text!r} is no day or time in ISO 8601; write for instance "
            f"{_day_within(text)} or 2021-06-01T10:20:30Z"
        )
    return found


def _day_within(text: str) -> str:
    """Give a day as an example: of the year or the month that was written, if it was one."""
    found = _YEAR_OR_MONTH.fullmatch(text.strip())
    return f"{found[1]}-{found[2] or '07'}-01" if found else "2021-06-01"


def _tagged(tags: Mapping[str, str]) -> Iterator[tuple[datetime, str]]:
    for name in _ACQUISITION_TAGS:
        time = parse_time(tags.get(name, ""))
        if time is None:
            continue
        clock = next((tags[n] for n in _CLOCK_TAGS if n in tags), "")
        if name == "exifdatetimeoriginal" and "exifoffsettimeoriginal" in tags:
            time = parse_time(f"{time:%Y-%m-%dT%H:%M:%S}{tags['exifoffsettimeoriginal'].strip()}") or time
        if (time.hour, time.minute, time.second) == (0, 0, 0) and clock:
            time = parse_time(f"{time:%Y-%m-%d}T{clock.strip().strip(chr(34))}") or time
        yield time, f"the tag {name.upper()}"
    dimension = _SINCE.fullmatch(tags.get("timeunits", "").strip())
    start = parse_time(dimension[2]) if dimension else None
    if dimension and start:  # CF conventions, 4.4; of several times, which are bands, none is the scene's
        with suppress(KeyError, ValueError, OverflowError):
            yield start + timedelta(**{f"{dimension[1].lower()}s": float(tags["netcdfdimtimevalues"])}), "its time axis"


def _stac_time(path: Path) -> Acquisition | None:
    """Read a STAC item beside the raster: one of its name, or one that lists it as an asset."""
    for beside in (path.with_suffix(".json"), path.with_name(path.name + ".json"), path.with_name("item.json")):
        try:
            item = json.loads(beside.read_text("utf-8"))
            if item.get("type") != "Feature" or "stac_version" not in item:
                continue
            hrefs = [str(asset.get("href", "")) for asset in item.get("assets", {}).values()]
            if beside.stem != path.stem and not any(href.split("/")[-1] == path.name for href in hrefs):
                continue
            times = item["properties"]
            time = parse_time(str(times.get("datetime") or times.get("start_datetime") or ""))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
        if time is not None:
            return Acquisition(time, f"the STAC item {beside.name}")
    return None


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())
