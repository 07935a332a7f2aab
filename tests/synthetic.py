"""Rasters, tiles, vectors and stores with known contents."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.windows import Window
from shapely import MultiPolygon, Polygon, affinity

from geocmer.imagery.grid import Grid
from geocmer.imagery.scene import Scene
from geocmer.imagery.scene_options import SceneOptions
from geocmer.imagery.stretch import Stretch, StretchRule
from geocmer.imagery.tiling import Tile, TileReader, TilingReport
from geocmer.store import mmap_cache
from geocmer.store.scene_row import GridRecord, TilingSettings
from geocmer.store.store import EncoderInfo, SceneRow, Store, TileRow

DIM = 8
ENCODER = EncoderInfo("ab" * 16, "fake", "", DIM)
OTHER = EncoderInfo("cd" * 16, "fake-2", "/an adapter", 4)
NASTY = ("forest", "x' OR '1'='1", 'Robert"); DROP TABLE tiles;--', "Überschwemmung 水 🌊", "100%_\\", "")
"""Categories that users may have; none of them may mean anything but itself."""


def tile(number: int, west: float = 0, south: float = 0, size: float = 0.1, **fields: Any) -> TileRow:
    """A tile with a footprint of `size` degrees, cut at the antimeridian if it reaches beyond it."""
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "scene_id": "5ce" + "0" * 29,
        "row": number,
        "col": 0,
        "size": 64,
        "geometry": footprint(west, south, size, size),
        "gsd": 28.5,
        "valid_share": 0.9,
        **fields,
    }
    return TileRow(**values)


def footprint(west: float, south: float, width: float, height: float, turn: float = 0) -> Polygon | MultiPolygon:
    """A rectangle, turned by `turn` degrees about its centre, cut at 180 if it reaches beyond."""
    whole: Polygon = affinity.rotate(shapely.box(west, south, west + width, south + height), turn)
    if whole.bounds[2] <= 180:
        return whole
    here = whole.intersection(shapely.box(-180, -90, 180, 90))
    there = affinity.translate(whole.intersection(shapely.box(180, -90, 540, 90)), -360)
    parts = [part for part in (here, there) if isinstance(part, Polygon) and not part.is_empty]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def unit(n: int, dim: int = DIM, seed: int = 0) -> np.ndarray:
    """Random unit vectors (n, dim), float32."""
    vectors: np.ndarray = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def scene(number: int = 0, **fields: Any) -> SceneRow:
    """A scene that is complete."""
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "uri": f"/data/scene {number}.tif",
        "content_hash": "c0" * 16,
        "crs": 'GEOGCS["WGS 84"]',
        "transform": (0.1, 0.0, 10.0, 0.0, -0.1, 50.0),
        "width": 100,
        "height": 80,
        "gsd": 28.5,
        "bands": (3, 2, 1),
        "stretch": Stretch((0.0, 0.0, 0.0), (255.0, 200.5, 1e4)),
        "grid": GridRecord(64, 32, (0.1, 0.0, 10.0, 0.0, -0.1, 50.0), 100, 80, 1.0, 28.5),
        "report": TilingReport(6, 4, {"too few valid pixels": 2}, 0.9),
        "datetime": datetime(2020, 5, 1, tzinfo=UTC),
        "settings": TilingSettings(None, "None", 0.5),
        "created_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        **fields,
    }
    return SceneRow(**values)


def contents(store: Store) -> list[dict[str, Any]]:
    """Everything in the `tiles` table, by id: what two stores must agree in to be equal."""
    snapshot = store.snapshot()
    names = [name for name in snapshot.dataset.schema.names if not name.startswith("vector_")]
    names += [store.encoder.column] if store.encoder else []
    records = [record for batch in snapshot.scan(names) for record in batch.to_pylist()]
    for record in records:
        del record["_rowid"]
    return sorted(records, key=lambda record: record["id"])


def filled(path: Path, rows: list[TileRow], vectors: np.ndarray | None) -> Store:
    """A new store with these tiles."""
    store = Store.create(path)
    if vectors is not None:
        store.add_encoder(ENCODER)
    store.add_tiles(rows, vectors)
    return store


UTM = Affine(10, 0, 600_000, 0, -10, 5_000_000)
"""A 10 m grid for rasters in EPSG:32633."""


def raster(path: Path, array: np.ndarray, transform: Affine = UTM, crs: str | None = "EPSG:32633", **more: Any) -> Path:
    """A GeoTIFF of (bands, height, width); `colours` are its bands' interpretation, `mask` an internal mask."""
    colours, mask, tags = more.pop("colours", None), more.pop("mask", None), more.pop("tags", {})
    bands, height, width = array.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": array.dtype}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile, crs=crs, transform=transform, **more) as file,
    ):
        if colours:
            file.colorinterp = colours
        file.update_tags(**tags)
        file.write(array)
        if mask is not None:
            file.write_mask(mask)
    return path


def noise(*shape: int, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    """Random values over most of a type's range, never its ends."""
    low, high = {"uint8": (1, 255), "uint16": (1, 60_000), "int16": (-2_000, 12_000)}.get(dtype, (-1000, 5000))
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def cut(path: Path, size: int, stride: int | None = None, **more: Any) -> tuple[list[Tile], TileReader]:
    """All tiles of a scene, and the reader that made them."""
    reading = {name: more.pop(name) for name in ("min_valid", "skip", "on_window") if name in more}
    with Scene.open(path, more.pop("bands", None)) as scene:
        reader = TileReader(scene, Grid.over(scene, size, stride, **more), scene.stretch(), **reading)
        return list(reader), reader


def interrupt(*_: object) -> None:
    """Do what a person does who presses Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def cached_copy(store: Store, path: Path, mapped_rows: int, block_rows: int = mmap_cache.BLOCK_ROWS) -> Iterator[Store]:
    """The same store with a memory-mapped cache, scored by the compiled product."""
    shutil.copytree(store.path, path)
    copy = Store.open(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocmer.store.mmap_cache.BLOCK_ROWS", block_rows)
        patch.setattr("geocmer.store.mmap_source.MAPPED_ROWS", mapped_rows)
        patch.setattr("geocmer.search.dot.NUMBA_MIN_ROWS", 50)
        assert mmap_cache.build_cache(copy.snapshot()) is not None
        yield copy


def shown(path: Path, rule: str = "percentile", **options: Any) -> tuple[np.ndarray, np.ndarray, Scene]:
    """A scene as it is shown, its valid pixels, and itself."""
    with Scene.open(path, options=SceneOptions(stretch=StretchRule.parse(rule), **options)) as scene:
        data, valid = scene.read(Window(0, 0, scene.width, scene.height))
        return scene.stretch().apply(data, valid), valid, scene
