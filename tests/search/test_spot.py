"""Spots: the place that is asked for, on the ground where rasterio says it is, and never where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping, shape

from geocmer.errors import InputError
from geocmer.export.hits import Hits
from geocmer.imagery.stretch import StretchRule
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.models.encoder import Encoder
from geocmer.search.spot import CELLS, SpotFinder, best_place, best_window, evidence_map
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.store import EncoderInfo, Store

SIZE = 48
TRANSFORM = Affine(10, 0, 600_000, 0, -10, 4_000_000)


class Colours:
    """Embeds a picture as its mean colour, what shows no ground left out: a question in colours has a known answer."""

    fingerprint, dim = "c0" * 16, 3

    def encode_images(self, pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        seen = np.ones(pixels.shape[:3]) if valid is None else valid
        means = (pixels * seen[..., None]).sum((1, 2)) / np.maximum(seen.sum((1, 2)), 1)[:, None] + 1e-3
        unit: NDArray[np.float32] = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return unit


ENCODER = cast("Encoder", Colours())
RED = np.array([1.0, 0, 0])


@given(st.integers(0, CELLS - 2), st.integers(0, CELLS - 2), st.sampled_from([48, 64, 101, 256]))
def test_the_best_place_is_the_red_one(row: int, col: int, size: int) -> None:
    pixels = np.full((size, size, 3), (20, 90, 90), np.uint8)
    edges = np.round(np.linspace(0, size, CELLS + 1)).astype(int)
    pixels[edges[row] : edges[row + 2], edges[col] : edges[col + 2]] = (250, 10, 10)
    evidence = evidence_map(ENCODER, RED, pixels, np.ones((size, size), bool))
    across, down = best_place(evidence, size)
    assert edges[row] <= down <= edges[row + 2]
    assert edges[col] <= across <= edges[col + 2]
    top, left, height, width = best_window(evidence, size)
    assert top <= down <= top + height
    assert left <= across <= left + width
    assert 0 <= top < top + height <= size
    assert 0 <= left < left + width <= size
    covered = pixels[top : top + height, left : left + width, 0].mean() / pixels[..., 0].mean()
    assert covered > 1.5, "the box holds more of what was asked for than the tile does"


def test_a_place_without_ground_is_no_answer() -> None:
    pixels = np.full((SIZE, SIZE, 3), (60, 60, 60), np.uint8)
    pixels[:, SIZE // 2 :] = (255, 0, 0)
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, SIZE // 2 :] = False
    evidence = evidence_map(ENCODER, RED, pixels, valid)
    assert best_place(evidence, SIZE)[0] < SIZE / 2 + SIZE / CELLS
    assert np.isnan(evidence[:, -1]).all()
    nothing = evidence_map(ENCODER, RED, pixels, np.zeros((SIZE, SIZE), bool))
    assert np.isfinite(nothing).all(), "a tile without ground has an answer all the same"


def _store(folder: Path, transform: Affine = TRANSFORM, crs: str = "EPSG:32617") -> tuple[Store, Path]:
    """Four tiles, in one of which there is something red, at rows 8 to 24 and columns 72 to 88 of the scene."""
    scene = np.full((3, 2 * SIZE, 2 * SIZE), 90, np.uint8)
    scene[:, 8:24, 72:88] = np.array([255, 0, 0])[:, None, None]
    path = folder / "scene.tif"
    profile: dict[str, Any] = {"driver": "GTiff", "width": 2 * SIZE, "height": 2 * SIZE, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", transform=transform, crs=crs, **profile) as file:
        file.write(scene)
    store = Store.open_or_create(folder / "store")
    ingest(path, store, None, TileOptions(size=SIZE, stretch=StretchRule.parse("none")))
    info = EncoderInfo("c0" * 16, "colours", "", 3)
    store.add_encoder(info)
    rows = [row for batch in store.snapshot().scan(["id", "row", "col"]) for row in batch.to_pylist()]
    vectors = []
    for row in rows:
        part = scene[:, row["row"] : row["row"] + SIZE, row["col"] : row["col"] + SIZE]
        vectors.append(ENCODER.encode_images(part.transpose(1, 2, 0)[None])[0])
    store.set_vectors(info, [row["id"] for row in rows], np.array(vectors))
    return store, path


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (TRANSFORM, "EPSG:32617"),
        (Affine(7, 7, 600_000, 7, -7, 4_000_000), "EPSG:32617"),
        (Affine(0.01, 0, 179.3, 0, -0.01, 10), "EPSG:4326"),
    ],
    ids=["north up", "turned", "across the antimeridian"],
)
def test_a_spot_lies_on_the_ground_where_its_pixels_do(tmp_path: Path, transform: Affine, crs: str) -> None:
    store, _ = _store(tmp_path, transform, crs)
    (hit,) = nearest_tiles(store, RED, k=1).hits
    assert (hit.row, hit.col) == (0, SIZE)
    spot = SpotFinder(store, ENCODER, RED)(hit)
    row, col, height, width = spot.window
    window = box(hit.col + col, hit.row + row, hit.col + col + width, hit.row + row + height)
    there = _placed(window, transform)
    outline = _turned(shape(transform_geom(crs, "EPSG:4326", mapping(there))))
    assert shapely.hausdorff_distance(spot.geometry.normalize(), outline.normalize()) < 1e-4
    assert 8 <= row + height / 2 <= 24
    assert 72 <= hit.col + col + width / 2 <= 88
    red = _placed(box(72, 8, 88, 24), transform)
    assert _turned(shape(transform_geom(crs, "EPSG:4326", mapping(red)))).covers(shapely.Point(spot.point))


def _placed(area: Any, transform: Any) -> Any:
    """An area in pixels, in the units of the CRS. Affine multiplies arrays too, which its types do not tell."""
    return shapely.transform(area, lambda xy: np.column_stack(transform @ xy.T))


def _turned(area: Any) -> Any:
    """An area wholly beyond the antimeridian, at the longitudes that maps give it."""
    return shapely.transform(area, lambda xy: xy - [360, 0]) if area.bounds[0] > 180 else area


def test_every_export_says_where(tmp_path: Path) -> None:
    store, _ = _store(tmp_path)
    answer = nearest_tiles(store, RED, k=2)
    hits = Hits.of(answer, "red")
    found = Hits.of(
        type(answer)(
            answer.plan, answer.snapshot, answer.rowids, answer.scores, find_spot=SpotFinder(store, ENCODER, RED)
        ),
        "red",
    )
    found.save(tmp_path / "hits.geojson")
    features = json.loads((tmp_path / "hits.geojson").read_text())["features"]
    tile, spot = features[0], features[1]
    place: Any = shape(spot["geometry"])
    assert spot["id"] == f"{tile['id']}/spot"
    assert shape(tile["geometry"]).buffer(1e-6).contains(place)
    assert tile["properties"]["spot"] == found[0].spot.attributes()  # type: ignore[union-attr]
    found.save(tmp_path / "hits.gpkg")
    layer = geopandas.read_file(tmp_path / "hits.gpkg", layer="hits spots")
    assert layer.geometry[0].equals_exact(shapely.MultiPolygon([place]), 1e-9)
    assert list(layer["hit"]) == [hit.id for hit in found]
    for name in ("hits.csv", "hits.parquet", "hits.fgb", "hits.html"):
        found.save(tmp_path / name)
    assert json.loads(geopandas.read_parquet(tmp_path / "hits.parquet")["spot"][0]) == tile["properties"]["spot"]
    page = (tmp_path / "hits.html").read_text()
    assert str(spot["geometry"]["coordinates"][0][0][0])[:9] in page
    hits.save(tmp_path / "plain.gpkg")
    assert "plain spots" not in geopandas.list_layers(tmp_path / "plain.gpkg")["name"].tolist()
    assert geopandas.read_file(tmp_path / "plain.gpkg", layer="plain")["spot"].isna().all()


def test_a_scene_that_is_gone_is_named(tmp_path: Path) -> None:
    store, path = _store(tmp_path)
    (hit,) = nearest_tiles(store, RED, k=1).hits
    path.unlink()
    with pytest.raises(InputError, match=r"scene\.tif is gone"):
        SpotFinder(store, ENCODER, RED)(hit)
