"""Class fractions of tiles: against tables made with plain numpy, and against brute force."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from covers import FIVE, polygons, under
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from synthetic import UTM, noise, raster

from geocmer.errors import GeocmerError
from geocmer.landcover.layer import ClassFractions, LandCover

# -- the oracle tables -----------------------------------------------------------------------------------------------

NC, TERRAMIND = "nc_raleigh", "terramind_s2"
NC_NAMES = {1: "developed", 2: "agriculture", 3: "herbaceous", 4: "shrubland", 5: "forest", 6: "water", 7: "sediment"}


@pytest.mark.parametrize(
    ("table", "scene", "cover", "more", "size"),
    [
        *(
            (f"nc_raleigh_landclass96_t{size}", f"{NC}/lsat7_2002.tif", f"{NC}/{file}", more, size)
            for size in (64, 32)
            for file, more in (
                ("landclass96.tif", {"legend": "nc_landclass96"}),
                ("landclass96_polygons_derived.gpkg", {"class_column": "landuse"}),
            )
        ),
        *(
            (f"terramind_{p}_t56", f"{TERRAMIND}/S2RGB/{p}.tif", f"{TERRAMIND}/LULC/{p}.tif", {"legend": "codes"}, 56)
            for p in ("282D_485L_3_3", "38D_378R_2_3", "609U_541L_3_0", "637U_59R_1_3")
        ),
        ("zion_nlcd2011_t128", "zion_nlcd/nlcd2011.tif", "zion_nlcd/nlcd2011.tif", {"legend": "nlcd"}, 128),
    ],
)
def test_fractions_are_those_of_the_oracle(
    shared_data: Path, tmp_path: Path, table: str, scene: str, cover: str, more: dict[str, Any], size: int
) -> None:
    geo = shared_data / "geo"
    if more.get("legend") == "codes":
        codes = tmp_path / "codes.csv"
        codes.write_text("code,label\n" + "".join(f"{code},{code}\n" for code in range(256)))
        more = {"legend": str(codes)}
    layer = LandCover.open(geo / cover, **more)
    found = {(tile.row, tile.col): shares.shares for tile, shares in under(geo / scene, layer, size)}
    checked = 0
    for row in csv.DictReader((geo / "oracle" / f"{table}.csv").open()):
        if (int(row["h"]), int(row["w"])) != (size, size):
            continue  # the oracle cuts the last row and column short, geocmer shifts them inward
        shares = found[int(row["row"]), int(row["col"])]
        counts = {int(code): int(n) for code, n in (pair.split(":") for pair in row["histogram"].split(";"))}
        total = sum(counts.values())
        named = {label: shares[label] for label in shares}
        if "class_column" in more:  # polygons carry the classes' names
            assert sorted(named.values()) == pytest.approx(sorted(n / total for n in counts.values()), abs=1e-6)
        else:
            expected = {layer.legend.label(code): n / total for code, n in counts.items()}
            assert named == pytest.approx(expected, abs=1e-6)
            assert shares[layer.legend.label(int(row["majority"]))] == max(shares.values())
        assert max(shares.values()) == pytest.approx(float(row["fraction"]), abs=1e-6)
        checked += 1
    assert checked > 10


# -- rasters against brute force -------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(6))
@given(
    st.sampled_from(["EPSG:32633", "EPSG:3035", "EPSG:4326"]),
    st.floats(0.15, 3),
    st.floats(-20, 20),
    st.sampled_from(["uint8", "int16", "float32"]),
    st.integers(0, 99),
)
def test_a_tile_has_the_classes_of_the_nearest_land_cover_pixels(
    tmp_path: Path, crs: str, scale: float, turn: float, dtype: str, seed: int
) -> None:
    """Every (sub)pixel centre is looked up by itself through pyproj; shares agree but for pixels on a border."""
    random = np.random.default_rng(seed)
    legend = tmp_path / "legend.json"
    legend.write_text(json.dumps(FIVE))
    scene = raster(tmp_path / "scene.tif", noise(3, 40, 50))
    to_cover = Transformer.from_crs("EPSG:32633", crs, always_xy=True)
    middle, right = (to_cover.transform(*(UTM @ at)) for at in ((25, 20), (26, 20)))
    pixel = np.hypot(right[0] - middle[0], right[1] - middle[1]) * scale
    side = int(90 / scale)
    place = (
        Affine.translation(*middle) @ Affine.rotation(turn) @ Affine.scale(pixel, -pixel)
        @ Affine.translation(-side / 2, -side / 2)
    )  # fmt: skip
    patches = random.integers(0, 6, (side // 7 + 1, side // 7 + 1))
    codes = np.kron(patches, np.ones((7, 7), int))[:side, :side].astype(dtype)
    path = raster(tmp_path / "cover.tif", codes[None], place, crs)
    for tile, found in under(scene, LandCover.open(path, legend), 20):
        fine = 8
        at = (np.arange(20 * fine) + 0.5) / fine
        places: Any = tuple(np.meshgrid(at, at))  # arrays pass where an Affine asks for numbers
        xs, ys = tile.transform @ places
        columns, rows = ~place @ to_cover.transform(xs.ravel(), ys.ravel())
        columns, rows = np.floor(columns).astype(int), np.floor(rows).astype(int)
        inside = (columns >= 0) & (columns < side) & (rows >= 0) & (rows < side)
        seen = codes[rows[inside], columns[inside]]
        seen = seen[seen != 0]
        assert found.coverage == pytest.approx(len(seen) / (20 * fine) ** 2, abs=0.06)
        for code in range(1, 6):
            assert found.shares.get(f"class {code}", 0) == pytest.approx((seen == code).mean(), abs=0.08)
        if found.shares:
            assert sum(found.shares.values()) == pytest.approx(1)
            assert list(found.shares.values()) == sorted(found.shares.values(), reverse=True)


def test_fine_land_cover_is_counted_pixel_by_pixel(tmp_path: Path, legend: Path) -> None:
    """Four land-cover pixels in one of the scene: sampling at its centre would see one of them."""
    codes = np.tile(np.array([[1, 2], [3, 4]], "uint8"), (32, 32))
    fine = raster(tmp_path / "cover.tif", codes[None], UTM @ Affine.scale(0.5))
    (_, found), *_ = under(raster(tmp_path / "a.tif", noise(3, 32, 32)), LandCover.open(fine, legend), 32)
    assert found == ClassFractions({f"class {code}": 0.25 for code in (1, 2, 3, 4)}, 1.0)


def test_only_pixels_that_are_valid_in_both_count(tmp_path: Path, legend: Path) -> None:
    pixels, codes = noise(3, 32, 32), np.full((1, 32, 32), 1, "uint8")
    pixels[:, :16] = 0
    codes[:, :, 8:16], codes[:, :, :8], codes[:, 30:, 30:] = 2, 9, 0
    scene = raster(tmp_path / "a.tif", pixels, nodata=0)
    cover = LandCover.open(raster(tmp_path / "cover.tif", codes, nodata=9), legend)
    (_, found), *_ = under(scene, cover, 32)
    ones, twos = 16 * 16 - 4, 16 * 8
    assert found.shares == pytest.approx({"class 1": ones / (ones + twos), "class 2": twos / (ones + twos)})
    assert found.coverage == pytest.approx((ones + twos) / (16 * 32))


def test_land_cover_beside_a_tile_gives_nothing_and_is_no_error(tmp_path: Path, legend: Path) -> None:
    cover = LandCover.open(raster(tmp_path / "cover.tif", np.ones((1, 32, 32), "uint8")), legend)
    found = [shares for _, shares in under(raster(tmp_path / "a.tif", noise(3, 32, 64)), cover, 32)]
    assert found == [ClassFractions({"class 1": 1.0}, 1.0), ClassFractions({}, 0.0)]


def test_unknown_codes_are_kept_and_said_once(tmp_path: Path, legend: Path) -> None:
    codes = np.full((1, 64, 64), 1, "uint8")
    codes[:, ::2] = 77
    cover = LandCover.open(raster(tmp_path / "cover.tif", codes), legend)
    for _, found in under(raster(tmp_path / "a.tif", noise(3, 64, 64)), cover, 32):
        assert found.shares == {"class 1": 0.5, "unknown 77": 0.5}
    assert len(cover.notes) == 1
    assert "code 77 is not in legend legend" in cover.notes[0]


# -- what does not serve ---------------------------------------------------------------------------------------------


def test_land_cover_elsewhere_is_refused(tmp_path: Path, legend: Path, shared_data: Path) -> None:
    scene = raster(tmp_path / "a.tif", noise(3, 32, 32))
    elsewhere = UTM @ Affine.translation(500, 0)
    far = [
        LandCover.open(raster(tmp_path / "b.tif", np.ones((1, 9, 9), "uint8"), elsewhere), legend),
        LandCover.open(raster(tmp_path / "c.tif", np.ones((1, 9, 9), "uint8"), UTM, "EPSG:3031"), legend),
        LandCover.open(polygons(tmp_path / "d.gpkg", [shapely.box(0, 0, 1, 1)], ["x"]), class_column="what; 'is'"),
        LandCover.open(shared_data / "geo" / "stars_olinda_l7" / "lc.tif"),
    ]
    for cover in far:
        with pytest.raises(GeocmerError, match="does not overlap the scene") as caught:
            list(under(scene, cover, 32))
        assert "\n" not in str(caught.value)


def test_files_that_are_no_land_cover_are_refused_in_one_line(tmp_path: Path, legend: Path) -> None:
    text, good = tmp_path / "a.txt", raster(tmp_path / "good.tif", np.ones((1, 9, 9), "uint8"))
    text.write_text("hello")
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    bare = raster(tmp_path / "bare.tif", np.ones((1, 9, 9), "uint8"), crs=None)
    vector = polygons(tmp_path / "a.gpkg", [shapely.box(0, 0, 1, 1)], ["x"])
    unclassed = polygons(tmp_path / "b.gpkg", [shapely.box(0, 0, 1, 1)], [None])
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (tmp_path / "missing.tif", {"legend": legend}, "does not exist"),
        (tmp_path, {"legend": legend}, "no CRS"),
        (text, {"legend": legend}, "not a raster"),
        (vector, {"legend": legend}, "--class-column which holds the class: what; 'is'"),
        (text, {"class_column": "a"}, "cannot be read .* give a vector file"),
        (vector, {"class_column": "a"}, "its columns are: what; 'is'"),
        (table, {"class_column": "a"}, "no polygons, only a table"),
        (unclassed, {"class_column": "what; 'is'"}, "no polygon with a class"),
        (bare, {"legend": legend}, "no CRS"),
        (good, {"legend": legend, "band": 2}, "no band 2"),
        (good, {}, "--legend"),
    ]
    for path, more, said in cases:
        with pytest.raises(GeocmerError, match=said) as caught:
            LandCover.open(path, **more)
        assert "\n" not in str(caught.value)


def test_codes_that_are_no_whole_numbers_are_refused(tmp_path: Path, legend: Path) -> None:
    cover = LandCover.open(raster(tmp_path / "c.tif", np.full((1, 32, 32), 1.5, "float32")), legend)
    with pytest.raises(GeocmerError, match=r"fractional code 1\.5"):
        list(under(raster(tmp_path / "a.tif", noise(3, 32, 32)), cover, 32))


def test_fill_that_nothing_declares_is_no_code(tmp_path: Path, legend: Path) -> None:
    codes = np.ones((1, 32, 32), "float32")
    codes[0, :4] = 1e20
    cover = LandCover.open(raster(tmp_path / "c.tif", codes), legend)
    with pytest.raises(GeocmerError, match=r"1e\+20, which is no code.*-a_nodata"):
        list(under(raster(tmp_path / "a.tif", noise(3, 32, 32)), cover, 32))


def test_the_hash_tells_layers_legends_and_columns_apart(tmp_path: Path, legend: Path) -> None:
    path = raster(tmp_path / "a.tif", np.ones((1, 9, 9), "uint8"))
    first = LandCover.open(path, legend).hash
    assert LandCover.open(path, legend).hash == first
    assert LandCover.open(path, "nlcd").hash != first
    legend.write_text(json.dumps({**FIVE, "nodata": [1]}))
    assert LandCover.open(path, legend).hash != first, "a legend that was edited is another legend"
