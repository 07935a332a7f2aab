"""Where scenes lie: against rasterio and pyproj used directly; what has no place on the Earth is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin
from rasterio.warp import transform as warp
from rasterio.warp import transform_bounds
from synthetic import UTM, noise, raster

from geocmer.errors import CRSError
from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions
from geocmer.imagery.tiling import Tile, TileReader, TilingReport

UNIT = 'UNIT["metre",1,AUTHORITY["EPSG","9001"]]'
LOCAL = f'LOCAL_CS["Local Coordinates (m)",{UNIT},AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
RADIANS = (
    'GEOGCS["a",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["radian",1]]'
)
DISK = "+proj=geos +lon_0=0 +h=35785831 +sweep=y +ellps=WGS84 +units=m +no_defs"


def tiles(path: Path, size: int, gsd: float | None = None, **options: Any) -> tuple[list[Tile], TilingReport]:
    with Scene.open(path, options=SceneOptions(**options)) as scene:
        reader = TileReader(scene, Grid.over(scene, size, gsd=gsd), scene.stretch(), 0.5)
        return list(reader), reader.report


def gcps(path: Path, crs: str | None, points: list[GroundControlPoint]) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8", crs=crs, gcps=points
    ) as file:
        file.write(noise(1, 64, 64))
    return path


def test_control_points_place_a_scene_when_asked_for(tmp_path: Path) -> None:
    points = [GroundControlPoint(r, c, -81 + 0.001 * c, 36 - 0.001 * r) for r in (0, 64) for c in (0, 64)]
    path = gcps(tmp_path / "a.tif", "EPSG:4326", points)
    with pytest.raises(CRSError, match="--gcps") as caught:
        Scene.open(path)
    assert "edit-info" not in str(caught.value)
    (tile,), _ = tiles(path, 64, gcps=True)
    assert tile.footprint.bounds == pytest.approx((-81, 35.936, -80.936, 36))
    with Scene.open(path, options=SceneOptions(gcps=True)) as scene:
        assert any("4 ground control points" in note for note in scene.notes)


def test_control_points_that_fit_no_straight_grid_are_refused(tmp_path: Path) -> None:
    points = [GroundControlPoint(r, c, 0.001 * c + 0.02 * (c == r), -0.001 * r) for r in (0, 64) for c in (0, 64)]
    path = gcps(tmp_path / "a.tif", "EPSG:4326", points)
    with pytest.raises(CRSError, match="gdalwarp -tps"):
        Scene.open(path, options=SceneOptions(gcps=True))


@pytest.mark.parametrize(
    ("crs", "transform", "words"),
    [
        ("EPSG:32617", Affine.identity(), "no geotransform"),
        (None, Affine.identity(), "no CRS and no geotransform"),
        ("EPSG:4326", from_origin(500000, 4000000, 10, 10), "metres"),
        ("EPSG:4326", from_origin(35, 139, 0.01, 0.01), "swapped"),
        ("EPSG:4326", from_origin(-700, 10, 0.01, 0.01), "no degrees"),
        ("EPSG:32617", from_origin(-81, 36, 0.0001, 0.0001), "degrees"),
        ("EPSG:3035", from_origin(6e7, 6e7, 10, 10), "not lie on the Earth"),
        (LOCAL, UTM, "local CRS"),
        ("IAU_2015:30100", from_origin(2, 49, 0.01, 0.01), "another body"),
        ("IAU_2015:49900", from_origin(2, 49, 0.01, 0.01), "another body"),
        ("EPSG:4978", UTM, "geocentric"),
        (RADIANS, from_origin(0.2, 0.8, 1e-5, 1e-5), "in radians"),
    ],
)
def test_what_has_no_place_on_the_earth_is_refused(tmp_path: Path, crs: str, transform: Affine, words: str) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 32, 32), transform, crs)
    with pytest.raises(CRSError, match=words) as caught:
        Scene.open(path)
    assert "\n" not in str(caught.value)
    assert "a.tif" in str(caught.value)


def test_coefficients_that_cannot_be_read_are_still_coefficients(tmp_path: Path) -> None:
    path = tmp_path / "a.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><Metadata domain="RPC"><MDI key="HEIGHT_OFF">HEIGHT_OFF</MDI>'
        '</Metadata><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    with pytest.raises(CRSError, match="RPCs"):
        Scene.open(path)


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        ("EPSG:9311", (-90, 40)),  # on a sphere, which WKT of 1999 cannot say of an ellipsoid's datum
        ("ESRI:102035", (10, 70)),
        ("+proj=sinu +R=6371007.181 +units=m", (10, 50)),
        ("EPSG:5482", (175, -75)),  # both axes to the north
        ("EPSG:2065", (15, 49)),  # south and west
        ("EPSG:4901", (2, 48)),  # grads from Paris
        ("EPSG:7415", (5, 52)),  # with heights
    ],
)
def test_a_scene_lies_where_gdal_places_it(tmp_path: Path, crs: str, place: tuple[float, float]) -> None:
    (x,), (y,) = warp("EPSG:4326", crs, [place[0]], [place[1]])
    step = 1e-4 if "4901" in crs else 10
    path = raster(tmp_path / "a.tif", noise(1, 32, 32), from_origin(x, y, step, step), crs)
    (tile,), _ = tiles(path, 32)
    with rasterio.open(path) as file:
        west, south, east, north = transform_bounds(file.crs, "EPSG:4326", *file.bounds)
    assert tile.footprint.bounds == pytest.approx((west, south, east, north), abs=1e-7)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", UTM),
        ("EPSG:32633", Affine(30, 0, 500000, 0, 30, 5000000)),  # south-up
        ("EPSG:4326", from_origin(359, 10, 0.02, 0.02)),  # 0 to 360
        ("EPSG:4326", from_origin(190, 10, 0.02, 0.02)),
        ("EPSG:32601", from_origin(150000, 5000000, 1000, 1000)),  # across 180
        ("EPSG:3857", from_origin(20037508 - 32000, 1000000, 1000, 1000)),  # across 180, x beyond the end of the world
        ("EPSG:3413", from_origin(-32000, 32000, 1000, 1000)),  # around the pole
        ("EPSG:2264", from_origin(2_000_000, 700_000, 30, 30)),  # feet
    ],
)
def test_tiles_together_cover_the_ground_of_the_scene(tmp_path: Path, crs: str, transform: Affine) -> None:
    """Against the geodesic area of the outline, and pyproj's place of every pixel's centre."""
    path = raster(tmp_path / "a.tif", noise(3, 64, 64), transform, crs)
    made, report = tiles(path, 16)
    assert report.made == 16
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    for tile in made:
        lon, lat = to_degrees.transform(*(tile.transform @ (8, 8)))
        lon = (lon + 180) % 360 - 180
        assert shapely.intersects_xy(tile.footprint, lon, lat)
    areas = [abs(Geod(ellps="WGS84").geometry_area_perimeter(tile.footprint)[0]) for tile in made]
    assert [tile.gsd**2 * 256 for tile in made] == pytest.approx(areas, rel=0.03)


def test_tiles_beyond_the_limb_are_dropped_and_counted(tmp_path: Path) -> None:
    size, reach = 256, 5570248
    array = noise(3, size, size)
    y, x = np.mgrid[:size, :size] - size / 2
    array[:, np.hypot(y, x) > size * 0.485] = 0
    step = 2 * reach / size
    made, report = tiles(
        raster(tmp_path / "disk.tif", array, from_origin(-reach, reach, step, step), DISK, nodata=0), 32
    )
    assert report.made == len(made) >= 4
    assert report.made + sum(report.dropped.values()) == report.total
    assert report.dropped["not wholly on the Earth, in the scene's projection"] > 0
    assert all(tile.footprint.is_valid and tile.footprint.area > 0 and tile.gsd > 0 for tile in made)


@pytest.mark.parametrize("crs", ["ESRI:54009", "ESRI:54030", "ESRI:54008"])
def test_world_maps_are_tiled_where_there_is_a_world(tmp_path: Path, crs: str) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 90, 180), from_origin(-18e6, 9e6, 2e5, 2e5), crs)
    made, report = tiles(path, 15)
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    assert report.made + sum(report.dropped.values()) == report.total
    for row, col in [(tile.row, tile.col) for tile in made]:
        for corner in ((col, row), (col + 15, row), (col, row + 15), (col + 15, row + 15)):
            x, y = from_origin(-18e6, 9e6, 2e5, 2e5) @ corner
            back = to_degrees.transform(*to_degrees.transform(x, y), direction="INVERSE")
            assert back == pytest.approx((x, y), abs=2e5)
    gsds = [tile.gsd for tile in made]
    if crs != "ESRI:54030":  # the other two are of equal area
        assert max(gsds) < min(gsds) * 1.02


def test_ground_resolution_follows_the_projection(tmp_path: Path) -> None:
    made, _ = tiles(raster(tmp_path / "a.tif", noise(1, 64, 8), Affine(1e5, 0, 0, 0, -1e5, 1e6 * 8), "EPSG:3857"), 8)
    for tile in made:
        _, lat = Transformer.from_crs(3857, 4326, always_xy=True).transform(*(tile.transform @ (4, 4)))
        assert tile.gsd == pytest.approx(1e5 * np.cos(np.radians(lat)), rel=0.02)


def test_a_requested_resolution_is_met_both_ways(tmp_path: Path) -> None:
    """Pixels in degrees are half as wide as high at 60 degrees north; those resampled are square on the ground."""
    path = raster(tmp_path / "a.tif", noise(3, 200, 200), from_origin(12, 60, 0.001, 0.001), "EPSG:4326")
    with Scene.open(path) as scene:
        grid = Grid.over(scene, 16, gsd=200)
    geod, corner = Geod(ellps="WGS84"), grid.transform @ (grid.width / 2, grid.height / 2)
    right, below = (grid.transform @ (grid.width / 2 + i, grid.height / 2 + 1 - i) for i in (1, 0))
    assert geod.inv(*corner, *right)[2] == pytest.approx(200, rel=0.02)
    assert geod.inv(*corner, *below)[2] == pytest.approx(200, rel=0.02)


def test_a_footprint_ends_where_the_scene_ends(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", noise(3, 160, 160))
    (tile,), _ = tiles(path, 224)
    with rasterio.open(path) as file:
        bounds = transform_bounds(file.crs, 4326, *file.bounds, densify_pts=21)
    assert tile.footprint.bounds == pytest.approx(bounds, abs=1e-6)
    assert tile.covered == (160, 160)
