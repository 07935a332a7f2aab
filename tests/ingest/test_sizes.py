"""A scene in tiles of several sizes: the rows of one run for each size, whatever stops it, and what a user sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from looker import look, looker
from synthetic import contents, noise, raster

import geocmer
from geocmer.doctor import examine
from geocmer.errors import InputError
from geocmer.imagery.stretch import StretchRule
from geocmer.ingest import writer
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.landcover.layer import LandCover
from geocmer.store import lance
from geocmer.store.store import Store

SIZES = (16, 32)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Tiles of 16 divide it evenly, tiles of 32 do not: the last column is shifted."""
    return raster(tmp_path / "scene.tif", noise(3, 64, 80), tags={"TIFFTAG_DATETIME": "2020:05:01 00:00:00"})


@pytest.fixture
def cover(tmp_path: Path) -> LandCover:
    codes = np.repeat(np.array([11, 11, 42, 82, 82], "uint8"), 16)[None].repeat(64, 0)
    return LandCover.open(raster(tmp_path / "cover.tif", codes[None]), "nlcd")


def test_several_sizes_are_the_rows_of_one_run_for_each(tmp_path: Path, scene: Path, cover: LandCover) -> None:
    together, apart = Store.create(tmp_path / "together"), Store.create(tmp_path / "apart")
    seen: list[tuple[int, int]] = []
    report = ingest(
        scene, together, looker(), TileOptions(sizes=SIZES), land_cover=cover, on_window=lambda *n: seen.append(n)
    )
    alone = [ingest(scene, apart, looker(), TileOptions(size=size), land_cover=cover) for size in SIZES]
    assert contents(together) == contents(apart)
    assert {row.id for row in together.scenes()} == {row.id for row in apart.scenes()}
    assert seen == [(n, 26) for n in range(1, 27)], "one progress for all sizes"
    assert report.added == sum(one.added for one in alone) == 20 + 6
    assert report.tilings == {size: one.tiling for size, one in zip(SIZES, alone, strict=True)}
    assert report.to_json()["sizes"] == {
        str(size): one.to_json()["tiling"] for size, one in zip(SIZES, alone, strict=True)
    }
    assert report.lines()[1].startswith("  16 pixels: 20 of 20 tiles made")
    assert any(line.startswith("  32 pixels: 6 of 6 tiles made") for line in report.lines())
    one = ingest(scene, Store.create(tmp_path / "one"), looker(), TileOptions(sizes=(16,)), land_cover=cover)
    assert (one.lines(), one.to_json()) == (alone[0].lines(), alone[0].to_json()), "one size is no special case"


def test_each_tile_is_what_rasterio_reads_under_it(tmp_path: Path, scene: Path, cover: LandCover) -> None:
    store = Store.create(tmp_path / "store")
    ingest(scene, store, looker(), TileOptions(sizes=SIZES, stretch=StretchRule.parse("none")), land_cover=cover)
    rows = contents(store)
    assert [sum(row["size"] == size for row in rows) for size in SIZES] == [20, 6]
    with rasterio.open(scene) as file:
        codes = np.repeat(["water", "water", "forest", "cropland", "cropland"], 16)
        for row in rows:
            size = row["size"]
            window = rasterio.windows.Window(row["col"], row["row"], size, size)
            pixels = file.read(window=window).transpose(1, 2, 0)
            assert row[f"vector_{'ab' * 4}"] == pytest.approx(look(pixels[None])[0], abs=1e-3)
            west, south, east, north = rasterio.warp.transform_bounds(file.crs, 4326, *file.window_bounds(window))
            assert [row[name] for name in ("xmin", "ymin", "xmax", "ymax")] == pytest.approx([west, south, east, north])
            under, counts = np.unique(codes[row["col"] : row["col"] + size], return_counts=True)
            assert row["category"] in under[counts == counts.max()]
            assert sorted(row["fractions"]) == pytest.approx(sorted(counts / size))
            assert row["datetime"].isoformat() == "2020-05-01T00:00:00+00:00"


def test_an_interrupt_in_any_size_is_mended_by_the_same_run(
    tmp_path: Path, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_TILES", 4)
    whole = Store.create(tmp_path / "whole")
    ingest(scene, whole, looker(), TileOptions(sizes=SIZES))
    expected, write = contents(whole), lance.upsert
    finished = []
    for point in range(1, 30):
        store, calls = Store.create(tmp_path / f"store {point}"), iter(range(1, 100))

        def failing(*args: object, **more: object) -> int:
            if next(calls) == point:  # noqa: B023 - called in this turn of the loop only
                raise KeyboardInterrupt
            return write(*args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(lance, "upsert", failing)
        try:
            ingest(scene, store, looker(), TileOptions(sizes=SIZES))
            break
        except KeyboardInterrupt:
            finished.append(len(store.scenes()))
            encoder, kept = looker(), store.count()
            assert ingest(scene, store, encoder, TileOptions(sizes=SIZES)).added == 26 - kept == encoder.seen
            assert contents(store) == expected
            assert examine(store).sound
    assert finished == [0] * 6 + [1] * 3, "five batches and the scene, then two batches and the scene"


def test_what_a_user_sees_of_the_sizes_and_removing_the_file(tmp_path: Path, scene: Path) -> None:
    tiles = geocmer.open(tmp_path / "store", encoder=looker())
    tiles.add(scene, sizes=SIZES)
    grids = tiles.info()["scenes"][str(scene)]
    assert [(one["size"], one["tiles"]) for one in grids] == [(16, 20), (32, 6)]
    assert [one["side_m"] for one in grids] == pytest.approx([160, 320], rel=1e-3)
    assert sorted(one["id"] for one in grids) == sorted(row.id[:8] for row in tiles.store.scenes())
    assert len(tiles.remove(grids[1]["id"])) == 1
    assert len(tiles) == 20
    assert tiles.add(scene, sizes="16,32").added == 6, "only what is missing"
    removed = tiles.remove(str(scene))
    assert sorted(removed.values()) == [6, 20]
    assert (len(tiles), tiles.info()["scenes"]) == (0, {})


def test_a_size_that_cannot_be_is_refused(tmp_path: Path, scene: Path) -> None:
    assert TileOptions.of(sizes="32, 16,32").each_size() == [TileOptions(size=32), TileOptions(size=16)]
    assert TileOptions.of(size=7).each_size() == [TileOptions(size=7)]
    for bad in ("", "16,", "a", "16;32", "1.5"):
        with pytest.raises(InputError, match="whole numbers"):
            TileOptions.of(sizes=bad)
    store = Store.create(tmp_path / "store")
    for options in (TileOptions(sizes=(16, 0)), TileOptions(sizes=(32, 16), stride=20)):
        with pytest.raises(InputError, match="leaves gaps or is not positive"):
            ingest(scene, store, None, options)
        assert store.count() == 0, "before the first size is tiled"
