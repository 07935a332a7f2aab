"""A place over its dates: which tile counts, by hand, and what is written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from synthetic import DIM, ENCODER, filled, footprint, scene, tile, unit

import geocmer
from geocmer.errors import InputError
from geocmer.export.series_plot import draw_series
from geocmer.search.probability import Calibration, ProbabilityModel
from geocmer.search.series import Observation, read_point, series_at
from geocmer.store import Store

TIMES = [datetime(2020, month, 3, tzinfo=UTC) for month in (5, 1, 3)]
SPRING, WINTER, MARCH = range(3)
VECTORS = unit(9, seed=2)
CALIBRATION = Calibration(np.full(DIM, 0.05), 6.0, -2.0, hub_weight=0.3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Three scenes of one place; the tiles of the first overlap by half; one has no date, one no vector."""

    def of(number: int, which: int | None, west: float) -> Any:
        time = None if which is None else TIMES[which]
        return tile(
            number,
            geometry=footprint(west, 10, 0.1, 0.1),
            datetime=time,
            scene_id=f"{which or 0:032x}" if time else "f" * 32,
        )

    rows = [
        of(0, SPRING, 20.0), of(1, SPRING, 20.05), of(2, WINTER, 20.02), of(3, MARCH, 20.0), of(4, None, 20.0),
        of(5, SPRING, 21.0),
        of(6, SPRING, 179.95), of(7, SPRING, 179.9),
    ]  # fmt: skip
    made = filled(tmp_path_factory.mktemp("series") / "store", rows, VECTORS[:8])
    for number in range(3):
        made.add_scene(scene(number))
    made.add_tiles([of(8, MARCH, 20.02)])
    return made


@pytest.fixture
def tiles(store: Store, tmp_path: Path) -> Any:
    class Encoder:
        fingerprint, dim, scale, folder = ENCODER.fingerprint, DIM, 10.0, tmp_path

        def encode_texts(self, texts: Any) -> np.ndarray:
            return unit(len(texts), seed=9)

    CALIBRATION.save(tmp_path, ENCODER.fingerprint)
    encoder: Any = Encoder()
    return geocmer.open(store.path, encoder=encoder)


def by_hand(number: int, minus: int = 0) -> float:
    x, texts = VECTORS[number].astype(np.float16).astype(float), unit(1 + minus, seed=9).astype(float)
    apart = texts - 0.05
    odds = np.exp(6 * (apart @ x / np.linalg.norm(apart, axis=1) + 0.3 * x[-1]) - 2)
    absent = odds[1:] * 11  # one in ten has odds of 1 : 9, and one in a hundred of 1 : 99
    return float(np.prod([odds[0] / (1 + odds[0]), *(1 / (1 + absent))]))


def test_of_each_scene_the_tile_counts_in_which_the_place_lies_most_centrally(tiles: Any) -> None:
    found = tiles.series("lake", at="20.09, 10.05")
    assert [int(one.id, 16) for one in found.observations] == [2, 3, 1]
    assert [one.datetime for one in found.observations] == sorted(TIMES)
    assert [one.probability for one in found.observations] == pytest.approx([by_hand(n) for n in (2, 3, 1)], rel=1e-6)
    assert [int(one.id, 16) for one in tiles.series("lake", at=(20.04, 10.01)).observations] == [2, 3, 0]


def test_what_must_not_be_shown_takes_its_share(tiles: Any) -> None:
    found = tiles.series("lake", at="20.09 10.05", minus="forest")
    assert [one.probability for one in found.observations] == pytest.approx(
        [by_hand(n, 1) for n in (2, 3, 1)], rel=1e-6
    )


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([(64, 128), (64, 128), (64, 128)], [64, 64, 64]),  # the smallest, where all have it
        ([(64, 128), (128,), (64, 128)], [128, 128, 128]),  # else what all have
        ([(64, 128, 256), (256, 128), (128,)], [128, 128, 128]),
        ([(64,), (128,), (256,)], [64, 128, 256]),  # none is left out
        ([(64, 512), (64, 512), (400,)], [512, 512, 400]),  # the nearest that there is
    ],
)
def test_of_a_picture_in_several_sizes_that_counts_which_the_others_have(
    tmp_path: Path, sizes: list[tuple[int, ...]], taken: list[int]
) -> None:
    rows: list[Any] = []
    scenes: list[Any] = []
    for picture, several in enumerate(sizes):
        for size in several:
            row = scene(len(scenes), uri=f"/data/{picture}.tif")
            scenes.append(row)
            observation = datetime(2020 + picture, 1, 1, tzinfo=UTC)
            place = tile(len(rows), 20, 10, size / 1000, scene_id=row.id, gsd=10 + picture / 1000, datetime=observation)
            rows.append(replace(place, size=size))
    store = filled(tmp_path / "store", rows, unit(len(rows)))
    for row in scenes:
        store.add_scene(row)
    found = series_at(store.snapshot(), (20.01, 10.01), ProbabilityModel.of(CALIBRATION, unit(1), unit(0)))
    assert [rows[int(one.id, 16)].size for one in found.observations] == taken
    assert [one.scene for one in found.observations] == [f"/data/{picture}.tif" for picture in range(3)]


def test_across_180_degrees(tiles: Any) -> None:
    assert [int(one.id, 16) for one in tiles.series("lake", at="-179.99,10.05").observations] == [6]
    assert [int(one.id, 16) for one in tiles.series("lake", at="179.96,10.05").observations] == [7]


def test_around_a_pole_and_around_the_world(tmp_path: Path, tiles: Any) -> None:
    """A footprint that no meridian leaves free is not cut, and has its centre at the pole."""
    shapes = [shapely.box(-180, 89, 180, 90), footprint(19, 89, 4, 1), shapely.box(-170, 89, 170, 89.9)]
    times = [datetime(2020, 1, day, tzinfo=UTC) for day in (1, 1, 2)]
    rows = [
        tile(n, geometry=shape, datetime=time, scene_id=f"{time.day:032x}")
        for n, (shape, time) in enumerate(zip(shapes, times, strict=True))
    ]
    store = filled(tmp_path / "store", rows, VECTORS[:3])
    polar = geocmer.open(store.path, encoder=tiles.encoder)
    assert [int(one.id, 16) for one in polar.series("lake", at="20,89.99").observations] == [0]
    assert [int(one.id, 16) for one in polar.series("lake", at="21,89.5").observations] == [1, 2]


def test_what_is_left_out_is_said(tiles: Any) -> None:
    said: list[str] = []
    tiles._notify = said.append
    tiles.series("lake", at="20.05,10.05")
    assert said == [
        "1 tiles of this place have no date and are left out",
        "1 tiles of this place have no vector yet and are left out",
    ]
    said.clear()
    assert not len(tiles.series("lake", at="0,0"))
    assert "no dated tile holds 0, 0" in said[0]


def test_it_is_written_as_a_table_as_json_and_as_a_picture(tiles: Any, tmp_path: Path) -> None:
    found = tiles.series("lake", at="20.09,10.05")
    for suffix in (".csv", ".JSON", ".png"):
        assert found.save(tmp_path / f"series{suffix}") == 3
    with (tmp_path / "series.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["probability"]) for row in rows] == pytest.approx([by_hand(n) for n in (2, 3, 1)], abs=1e-6)
    assert [row["datetime"] for row in rows] == ["2020-01-03T00:00:00Z", "2020-03-03T00:00:00Z", "2020-05-03T00:00:00Z"]
    written = json.loads((tmp_path / "series.JSON").read_text())
    assert (written["title"], written["lon"], written["lat"]) == ("lake", 20.09, 10.05)
    assert written["series"] == found.records()
    picture = np.asarray(Image.open(tmp_path / "series.png").convert("RGB")).astype(int)
    blue = np.abs(picture - (31, 119, 180)).max(-1) < 30
    columns = np.nonzero(blue.any(0))[0]
    assert (columns.min(), columns.max()) == pytest.approx((70, 970), abs=6), "from the first to the last date"
    bottom, top = 370, 50
    first = np.nonzero(blue[:, columns.min() : columns.min() + 4])[0].mean()
    assert (bottom - first) / (bottom - top) == pytest.approx(by_hand(2), abs=0.03)
    with pytest.raises(InputError, match=r"\.csv, \.json, \.png"):
        found.save(tmp_path / "series.txt")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("series")) == [
        "series.JSON", "series.csv", "series.png",
    ]  # fmt: skip


def test_one_picture_and_none_make_a_chart_too(tiles: Any, tmp_path: Path) -> None:
    for place in ("21.05,10.05", "0,0"):
        tiles.series("lake", at=place).save(tmp_path / "series.png")
        assert Image.open(tmp_path / "series.png").size == (1000, 420)


def test_the_first_and_the_last_day_make_a_chart_too() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for times in ((first,), (last,), (first, last), (datetime(9998, 5, 1, tzinfo=UTC), last)):
        observations = [Observation(time, 0.5, "a", None, 1.0, 1.0) for time in times]
        assert Image.open(io.BytesIO(draw_series("lake", (0, 0), observations))).size == (1000, 420)


@pytest.mark.parametrize("text", ["", "35.8", "a,b", "200,0", "0,91", "nan,0", "1,2,3"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="longitude,latitude"):
        read_point(text)


def test_places_are_read_as_people_write_them() -> None:
    assert read_point(" [-78.6, 35.8] ") == read_point("-78.6 35.8") == (-78.6, 35.8)
