"""The QGIS plugin, run in QGIS itself: its own Python, offscreen, on the real command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from commands import lines
from shapely.geometry.base import BaseGeometry

ROOT = Path(__file__).resolve().parents[2]
SESSION = Path(__file__).with_name("qgis_session.py")
QGIS_PYTHON = "/usr/bin/python3"
SIDE = 32
BOX = (400_100.0, 4_499_100.0, 400_700.0, 4_499_700.0)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The geocmer command of this checkout, as one that is installed in an environment of its own."""
    code = f"sys.path[:0] = {sys.path!r}\nfrom geocmer_cli.main import main\nmain()\n"
    return script(tmp_path_factory.mktemp("bin") / "geocmer", "", code)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, warm_command: Path) -> Path:
    """The same, sooner: it has another process run the command, which is warm."""
    code = f"sys.path[:0] = [{str(ROOT / 'tests')!r}]\nimport warm\nwarm.stand_in({str(warm_command)!r})\n"
    return script(tmp_path_factory.mktemp("bin") / "geocmer", " -IS", code)


def script(path: Path, flags: str, code: str) -> Path:
    path.write_text(f"#!{sys.executable}{flags}\nimport sys\n{code}")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 x 160 px of 10 m in UTM zone 33, every tile of another colour."""
    path = tmp_path_factory.mktemp("scene") / "scene with spaces.tif"
    rng = np.random.default_rng(5)
    colours = np.kron(rng.integers(0, 255, (3, 5, 5)), np.ones((SIDE, SIDE))).astype(np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", width=160, height=160, count=3, dtype="uint8", crs="EPSG:32633",
        transform=Affine(10, 0, 400_000, 0, -10, 4_500_000), photometric="RGB",
    ) as file:  # fmt: skip
        file.write(colours)
    return path


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two polygons in the scene's CRS; the first lies wholly in BOX."""
    import geopandas

    path = tmp_path_factory.mktemp("region") / "region.gpkg"
    shapes = [shapely.box(400_200, 4_499_200, 400_300, 4_499_300), shapely.box(401_300, 4_498_500, 401_500, 4_498_700)]
    geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:32633").to_file(path)
    return path


class Session:
    """One QGIS for all tests: it takes seconds to start. Each run starts from an empty project."""

    def __init__(self, log: Path) -> None:
        if shutil.which("qgis_process") is None:
            pytest.skip("QGIS is not installed: apt-get install qgis python3-qgis")
        environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
        self._log = log
        self._process = subprocess.Popen(
            [QGIS_PYTHON, SESSION, ROOT / "examples" / "qgis"],
            env=environment | {"QT_QPA_PLATFORM": "offscreen"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
        )  # fmt: skip
        self._watchdog = threading.Timer(1200, self._process.kill)
        self._watchdog.start()

    def run(self, command: str | Path, *runs: dict[str, Any]) -> list[dict[str, Any]]:
        """Run algorithms with a geocmer command; return what each gave."""
        return [self._ask({**run, "command": str(command)}) for run in runs]

    def close(self) -> None:
        """Let QGIS go, which has to unload the plugin."""
        assert self._process.stdin
        self._process.stdin.close()
        unloaded = self._answer()
        self._watchdog.cancel()
        self._process.wait()
        assert unloaded == {"unloaded": True}

    def _ask(self, run: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(run) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        answer = next((line for line in self._process.stdout if line.startswith("{")), None)
        assert answer is not None, self._log.read_text()
        result: dict[str, Any] = json.loads(answer)
        return result


@pytest.fixture(scope="module")
def qgis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    session = Session(tmp_path_factory.mktemp("qgis") / "log")
    yield session
    session.close()


def geocmer_file(folder: Path, *arguments: str | Path) -> Any:
    """Run the command with a file as its output, and read that with geopandas."""
    import geopandas

    lines(*arguments, "-o", folder / "out.gpkg")
    return geopandas.read_file(folder / "out.gpkg", layer=0)


def tiles_of(folder: Path, store: Path) -> dict[str, BaseGeometry]:
    """The footprints of all tiles in EPSG:32633, where pyproj put them, by id."""
    import pyproj

    to_utm = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True)
    lines("export", "-o", folder / "all.geojson", "--store", store)
    return {
        feature["properties"]["id"]: shapely.transform(
            shapely.geometry.shape(feature["geometry"]),
            lambda xy: np.column_stack(to_utm.transform(xy[:, 0], xy[:, 1])),
        )
        for feature in json.loads((folder / "all.geojson").read_text())["features"]
    }


def tiles_in(tiles: dict[str, BaseGeometry], *shapes: BaseGeometry) -> set[str]:
    """The tiles that touch shapes, by shapely."""
    return {name for name, footprint in tiles.items() if any(footprint.intersects(shape) for shape in shapes)}


def test_scenes_are_tiled_and_searched_by_words_region_and_relation(
    qgis: Session, warm: Path, scene: Path, region: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    layers = {"scene": [str(scene), "raster"], "region": [str(region), "all"], "one": [str(region), "selected"]}
    search: dict[str, Any] = {"QUERY": "a red roof", "STORE": str(store), "COUNT": 100, "OUTPUT": "TEMPORARY_OUTPUT"}
    tile = {"SCENES": ["scene"], "STORE": str(store), "SIZE": SIDE}
    box = ",".join(map(str, (BOX[0], BOX[2], BOX[1], BOX[3]))) + " [EPSG:32633]"
    relation = {**search, "FIRST": "a red roof", "SECOND": "a green field", "RELATION": 2, "DISTANCE": 500}
    wheres: list[dict[str, Any]] = [
        {}, {"EXTENT": box}, {"REGION": "region"}, {"REGION": "region", "EXTENT": box}, {"COUNT": 3},
    ]  # fmt: skip
    tiled, *searched = qgis.run(
        warm,
        {"algorithm": "geocmer:tile", "layers": layers, "parameters": tile},
        *({"algorithm": "geocmer:search", "layers": layers, "parameters": search | where} for where in wheres),
        {"algorithm": "geocmer:relations", "parameters": relation},
        {"algorithm": "geocmer:search", "parameters": search | {"WHERE": "no_such_class > 2"}},
    )  # fmt: skip
    assert tiled["outputs"]["OUTPUT"] == str(store)
    refused, related = searched.pop(), searched.pop()
    polygons = [
        shapely.box(400_200, 4_499_200, 400_300, 4_499_300),
        shapely.box(401_300, 4_498_500, 401_500, 4_498_700),
    ]
    tiles = tiles_of(tmp_path, store)
    assert len(tiles) == 25
    expected = [
        set(tiles),
        tiles_in(tiles, shapely.box(*BOX)),
        tiles_in(tiles, *polygons),
        tiles_in(tiles, polygons[0]),
    ]
    for found, ids in zip(searched, expected, strict=False):
        assert "error" not in found, found
        (layer,) = found["layers"]
        assert set(layer["ids"]) == ids
        assert layer["renderer"] == "QgsGraduatedSymbolRenderer"
        assert layer["crs"] == "EPSG:4326"
        assert layer["name"] == "a red roof"
    (best,) = searched[4]["layers"]
    assert best["ids"] == [hit["id"] for hit in lines("search", "a red roof", "--store", store, "-k", "3")]
    hits, partners = related["layers"]
    words = "a red roof within 500 m of a green field"
    told = lines("search", words, "--store", store, "-k", "100")
    assert hits["ids"] == [hit["id"] for hit in told]
    assert partners["name"] == f"{words} (partners)"
    assert "no_such_class" in refused["error"]


@pytest.mark.usefixtures("one_encoder")
def test_what_is_new_between_two_times_is_what_the_command_finds(
    qgis: Session, warm: Path, scene: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    later = tmp_path / "later.tif"
    with rasterio.open(scene) as old, rasterio.open(later, "w", **old.profile, photometric="RGB") as new:
        new.write(np.roll(old.read(), SIDE, axis=2))
    for year, path in ((2010, scene), (2020, later)):
        lines("tile", path, "--datetime", f"{year}-06-01", "--size", str(SIDE), "--store", store)
    asked = {"QUERY": "a red roof", "BEFORE": "2012", "AFTER": "2018", "STORE": str(store), "COUNT": 5}
    polygons, raster = tmp_path / "found.gpkg", tmp_path / "score.tif"
    everywhere = {
        "WHAT": "a red roof",
        "MIN_PROBABILITY": 0.0,
        "STORE": str(store),
        "OUTPUT": str(polygons),
        "RASTER": str(raster),
    }
    detected, new_hits, gone = qgis.run(
        warm,
        {"algorithm": "geocmer:detect", "parameters": everywhere},
        {"algorithm": "geocmer:change", "parameters": asked | {"OUTPUT": "TEMPORARY_OUTPUT"}},
        {"algorithm": "geocmer:change", "parameters": asked | {"OUTPUT": "TEMPORARY_OUTPUT", "GONE": True}},
    )
    told = geocmer_file(tmp_path, "detect", "a red roof", "--min-probability", "0", "--store", store)
    (layer,) = detected["layers"]
    assert [shapely.from_wkt(wkt).area for wkt in layer["wkt"]] == pytest.approx(list(told.geometry.area))
    with rasterio.open(detected["outputs"]["RASTER"]) as file:
        probability = file.read(1, masked=True)
        assert file.crs is not None
    assert 0 <= probability.min() <= probability.max() <= 1
    times = ["--from", "2012", "--to", "2018", "--store", str(store), "-k", "5"]
    for found, more in ((new_hits, []), (gone, ["--gone"])):
        told = lines("change", "a red roof", *times, *more)
        assert told
        assert found["layers"][0]["ids"] == [hit["id"] for hit in told]


@pytest.mark.usefixtures("one_encoder")
def test_a_missing_command_and_a_missing_store_are_said_and_cancel_stops(
    qgis: Session, command: Path, warm: Path, scene: Path, tmp_path: Path
) -> None:
    search = {"QUERY": "lake", "STORE": str(tmp_path / "none"), "COUNT": 5, "OUTPUT": str(tmp_path / "hits.gpkg")}
    tile = {"SCENES": ["scene"], "STORE": str(tmp_path / "store"), "SIZE": SIDE}
    (absent,) = qgis.run("/no/such/geocmer", {"algorithm": "geocmer:search", "parameters": search})
    assert "'/no/such/geocmer'" in absent["error"]
    layers = {"scene": [str(scene), "raster"]}
    no_store, other_format = qgis.run(
        warm,
        {"algorithm": "geocmer:search", "parameters": search},
        {"algorithm": "geocmer:search", "parameters": search | {"OUTPUT": str(tmp_path / "hits.csv")}},
    )
    (cancelled,) = qgis.run(
        command, {"algorithm": "geocmer:tile", "layers": layers, "parameters": tile, "cancel": True}
    )
    assert str(tmp_path / "none") in no_store["error"]
    assert ".gpkg" in other_format["error"]
    assert not (tmp_path / "hits.gpkg").exists()
    assert "Cancelled" in cancelled["error"]
    lines("tile", scene, "--size", str(SIDE), "--store", tmp_path / "store")  # goes on
    assert len(tiles_of(tmp_path, tmp_path / "store")) == 25


def test_every_relation_of_the_plugin_is_one_that_geocmer_reads() -> None:
    import ast

    from geocmer.relations.parser import parse

    source = ast.parse((ROOT / "examples/qgis/geocmer_qgis/relations.py").read_text())
    (listed,) = [
        node.value for node in source.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RELATIONS"
    ]  # fmt: skip
    assert isinstance(listed, ast.Tuple)
    names = [str(one.value) if isinstance(one, ast.Constant) else "within 2000 m of" for one in listed.elts]
    assert len(names) > 10
    for name in names:
        assert len(parse(f"town {name} lake").clauses) == 1, name


def test_the_zip_holds_one_folder_with_what_qgis_needs(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "examples/qgis/build.py", tmp_path], check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / "geocmer_qgis.zip") as archive:
        names = archive.namelist()
        assert {name.split("/")[0] for name in names} == {"geocmer_qgis"}
        assert {"geocmer_qgis/__init__.py", "geocmer_qgis/metadata.txt", "geocmer_qgis/icon.svg"} <= set(names)
        archive.extractall(tmp_path)
    import configparser

    metadata = configparser.ConfigParser()
    metadata.read(tmp_path / "geocmer_qgis" / "metadata.txt")
    wanted = {"name", "qgisminimumversion", "description", "about", "version", "author", "email"}
    assert wanted <= set(metadata["general"])
    assert metadata["general"]["hasProcessingProvider"] == "yes"
