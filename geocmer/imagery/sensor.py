"""Sensors known by their products' file names: when the image was taken, and in which order its bands come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Sensor:
    """A family of products.

    Attributes:
        name: of the sensor.
        pattern: of a file name; the groups `date` (YYYYMMDD) or `year` and `day`, and `time` (HHMMSS), say when.
        rgb: red, green and blue, counted from 1, by the number of bands.
        radar: whether values are radar backscatter.
    """

    name: str
    pattern: re.Pattern[str]
    rgb: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    radar: bool = False


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_OLI = dict.fromkeys(range(7, 12), (4, 3, 2))
_TM = dict.fromkeys(range(6, 9), (3, 2, 1))
SENSORS = (
    # Names: Sentinel-2 Products Specification Document, 15.0; bands B01 to B12 in order, without B10 at level 2A.
    Sensor(
        "Sentinel-2",
        _pattern(r"(?:^|_)S2[A-D]_(?:MSIL\w{2}_|\d{1,2}[A-Z]{3}_)(?P<date>\d{8})(?:T(?P<time>\d{6}))?"),
        {12: (4, 3, 2), 13: (4, 3, 2)},
    ),
    Sensor("Sentinel-2", _pattern(r"^(?:L\w{2}_)?T\d{2}[A-Z]{3}_(?P<date>\d{8})T(?P<time>\d{6})"), {12: (4, 3, 2)}),
    Sensor(
        "Sentinel-1",
        _pattern(
            r"(?:^|_)S1[A-D]_\w{2}_\w{4}_\w{4}_(?P<date>\d{8})T(?P<time>\d{6})|^s1[a-d]-\w+-\w+-\w+-(?P<date2>\d{8})"
        ),
        radar=True,
    ),
    # Names: Landsat Collection 2 product identifiers: the first date is the acquisition, the second the processing.
    Sensor("Landsat 8/9", _pattern(r"^L[COT]0[89]_L\d\w\w_\d{6}_(?P<date>\d{8})_"), _OLI),
    Sensor("Landsat 4-7", _pattern(r"^L[ETM]0[4-7]_L\d\w\w_\d{6}_(?P<date>\d{8})_"), _TM),
    Sensor("Landsat 8", _pattern(r"^L[COT]8\d{6}(?P<year>\d{4})(?P<day>\d{3})[A-Z]{3}\d\d"), _OLI),
    Sensor("Landsat 4-7", _pattern(r"^L[ETM][4-7]\d{6}(?P<year>\d{4})(?P<day>\d{3})[A-Z]{3}\d\d"), _TM),
    Sensor("NAIP", _pattern(r"^m_\d{7}_[ns][ew]_\d{1,2}_\w+?_(?P<date>(?:19|20)\d{6})")),
    # Names: Planet Imagery Product Specifications; 4 bands are blue, green, red, NIR; 8 are those of SuperDove.
    Sensor(
        "PlanetScope",
        _pattern(r"^(?P<date>\d{8})_(?P<time>\d{6})_(?:\d{2}_)?[0-9a-f]{4}_[13][AB]_"),
        {4: (3, 2, 1), 5: (3, 2, 1), 8: (6, 4, 2)},
    ),
    Sensor("SkySat", _pattern(r"^(?P<date>\d{8})_(?P<time>\d{6})_ssc?\d+"), {4: (3, 2, 1)}),
    Sensor("MODIS", _pattern(r"^M[OYC]D\w+\.A(?P<year>\d{4})(?P<day>\d{3})\.")),
)


def sensor_of(name: str) -> Sensor | None:
    """Find the sensor whose products have such a file name."""
    return next((sensor for sensor in SENSORS if sensor.pattern.search(name)), None)


def time_in_name(name: str) -> tuple[datetime, str] | None:
    """Read the acquisition time (UTC) from the file name of a known product, and name its sensor."""
    for sensor in SENSORS:
        found = sensor.pattern.search(name)
        groups = found.groupdict() if found else {}
        try:
            day = groups.get("date") or groups.get("date2")
            if day:
                return datetime.strptime(day + (groups.get("time") or "000000"), "%Y%m%d%H%M%S").replace(
                    tzinfo=UTC
                ), sensor.name
            if groups.get("year"):
                start = datetime(int(groups["year"]), 1, 1, tzinfo=UTC)
                return start + timedelta(days=int(groups["day"]) - 1), sensor.name
        except ValueError:  # digits that are no date
            continue
    return None
