"""Conditions in words, numbers and Python objects make the same filter, and what says nothing is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import Geod

from geocmer.errors import InputError
from geocmer.geometry.bbox import BBox
from geocmer.search.criteria import make_filter
from geocmer.store.filter import EVERY_TILE, Filter

BOX = BBox(-79, 35, -78, 36)


@pytest.mark.parametrize("value", ["-79,35,-78,36", (-79, 35, -78, 36), [-79.0, 35, -78, 36], BOX])
def test_a_box_in_every_form(value: Any) -> None:
    assert make_filter(bbox=value) == Filter(region=BOX)


@pytest.mark.parametrize("form", ["geometry", "wkt", "file", "path"])
def test_a_region_in_every_form(form: str, tmp_path: Path) -> None:
    triangle = shapely.Polygon([(0, 0), (2, 0), (0, 2)])
    file = tmp_path / "triangle.geojson"
    file.write_text(shapely.to_geojson(triangle))
    value: Any = {"geometry": triangle, "wkt": triangle.wkt, "file": str(file), "path": file}[form]
    area = make_filter(region=value).area
    assert area is not None
    assert area.geometry.equals(triangle)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.3..10", (0.3, 10)),
        ("..10", (None, 10)),
        ("0.3..", (0.3, None)),
        ("5", (5, 5)),
        (5, (5, 5)),
        ((None, 3), (None, 3)),
    ],
)
def test_a_resolution_in_every_form(value: Any, expected: tuple[float | None, float | None]) -> None:
    assert make_filter(gsd=value).gsd == expected


def test_dates_and_the_rest() -> None:
    found = make_filter(since="2020-01-31", until=date(2021, 1, 1), category="forest", where="water > 0.1")
    assert found == Filter(None, "forest", date(2020, 1, 31), date(2021, 1, 1), None, "water > 0.1")


@pytest.mark.parametrize("text", ["2019-W22", "2019W22", "2020-W53"])
def test_a_week_is_all_of_its_days(text: str) -> None:
    found = make_filter(since=text, until=text)
    assert isinstance(found.since, date)
    assert isinstance(found.until, date)
    assert found.since.strftime("%G-W%V-%u") == f"{text[:4]}-W{text[-2:]}-1"
    assert found.until.strftime("%G-W%V-%u") == f"{text[:4]}-W{text[-2:]}-7"


def test_nothing_asked_is_every_tile_and_a_filter_stays_as_it_is() -> None:
    assert make_filter() is EVERY_TILE
    one = Filter(category="forest")
    assert make_filter(one) is one


@pytest.mark.parametrize("name", ["bbox", "region", "category", "since", "until", "gsd", "where"])
def test_an_empty_value_is_no_condition_but_a_mistake(name: str) -> None:
    for empty in ("", " "):
        conditions: dict[str, Any] = {name: empty}
        with pytest.raises(InputError, match=f"^{name} is empty"):
            make_filter(**conditions)


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ({"bbox": BOX, "region": BOX}, "both given"),
        ({"filter": Filter(), "category": "forest"}, "category and a filter were both given"),
        ({"since": "0001-01-01T00:00+14:00"}, "is not YYYY, YYYY-MM or YYYY-MM-DD"),
        ({"until": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=3)))}, "out of the years 1 to 9999"),
        ({"since": "yesterday"}, "'yesterday' is not YYYY, YYYY-MM or YYYY-MM-DD"),
        ({"gsd": "fine"}, "gsd 'fine' is not LO..HI"),
        ({"gsd": ".."}, "has no number"),
        ({"gsd": "inf.."}, "is not in metres"),
        ({"gsd": (None, float("inf"))}, "is not in metres"),
        ({"until": "2019-W53"}, "'2019-W53' is not"),
        ({"bbox": (1, 2, 3)}, "four numbers"),
    ],
)
def test_what_cannot_be_read_is_refused(conditions: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_filter(**conditions)


@pytest.mark.parametrize("within", [5000.0, "5km", "5 000 m"])
def test_a_region_within_a_distance(within: float | str) -> None:
    point = shapely.Point(10, 50)
    for region in (point, point.wkt):
        area = make_filter(region=region, within=within).area
        assert area is not None
        metres = abs(Geod(ellps="WGS84").geometry_area_perimeter(area.geometry)[0])
        assert metres == pytest.approx(np.pi * 5000**2, rel=1e-3)


@pytest.mark.parametrize("conditions", [{}, {"bbox": "0,0,1,1"}, {"region": BBox(0, 0, 1, 1)}])
def test_a_distance_needs_a_region(conditions: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="within 5km needs a region"):
        make_filter(within="5km", **conditions)
    with pytest.raises(InputError, match="is no distance"):
        make_filter(within="near", region="POINT(0 0)")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1985", date(1985, 1, 1), date(1985, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("1985-7-3", date(1985, 7, 3), date(1985, 7, 3)),
    ],
)
def test_a_year_or_a_month_is_all_of_it(text: str, first: date, last: date) -> None:
    assert make_filter(since=text, until=text).period == (
        datetime.combine(first, time.min, UTC),
        datetime.combine(last, time.max, UTC),
    )
    for wrong in ("85", "1985-13", "1985-00", "19850"):
        with pytest.raises(InputError, match="is not YYYY, YYYY-MM or YYYY-MM-DD"):
            make_filter(since=wrong)
