"""A new export format is one module: it is found, listed in the help and in the docs, and written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hits import HITS, hit
from synthetic import filled, tile

from geocmer.errors import InputError
from geocmer.export import known_formats, write

DUMMY = """
from geocmer.export.format import Format

def write(stream, path, options):
    with path.open("w") as file:
        for batch in stream:
            file.writelines(hit.id + "\\n" for hit in batch.hits)

FORMATS = (Format(".ids", "a list of ids", "copying", write),)
"""


def test_one_module_is_enough(tmp_path: Path) -> None:
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "ids.py").write_text(DUMMY)
    filled(tmp_path / "store", [tile(n, west=n) for n in range(3)], None)
    (point,) = entry_points(group="console_scripts", name="geocmer")
    code = (
        f"import sys, importlib; from {point.module} import {point.attr} as main\n"
        f"importlib.import_module('geocmer.export.formats').__path__.append({str(tmp_path / 'formats')!r})\n"
        "for words in (['--help'], ['--store', 'store', '-o', 'TILES.IDS']):\n"
        "    sys.argv = ['geocmer', 'export', *words]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert not stop.code, stop.code\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ".ids (a list of ids)" in " ".join(done.stdout.split())
    assert (tmp_path / "TILES.IDS").read_text().split() == [f"{n:032x}" for n in range(3)]


@pytest.mark.parametrize("suffix", list(known_formats()))
def test_an_ending_may_be_in_any_case(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, suffix: str) -> None:
    from synthetic import filled, tile, unit

    store = filled(tmp_path_factory.mktemp("store") / "store", [tile(1)], unit(1))
    path = tmp_path / f"Hits{suffix.upper()}"
    write(HITS, path, source=store.snapshot())
    assert path.stat().st_size > 0
    beside = {f"Hits{other}" for other in known_formats()[suffix].beside}
    beside |= {"Hits.model.json"} if suffix == ".stac.parquet" else set()
    assert {file.name for file in tmp_path.iterdir()} == {path.name, *beside}


@pytest.mark.parametrize(
    "name", ["gpkg_hits", "sqlite_hits", "rtree_x", "layer_styles", "[2020] hits", "a;b", "x'y\"z"]
)
def test_any_name_of_a_file_makes_a_geopackage(tmp_path: Path, name: str) -> None:
    import pyogrio

    write(HITS, tmp_path / f"{name}.gpkg")
    plain = (tmp_path / f"{name}.gpkg").rename(tmp_path / "plain.gpkg")  # the reader too takes some names for options
    layers = pyogrio.list_layers(plain)[:, 0].tolist()
    assert len(layers) == 3, layers
    assert len(pyogrio.read_dataframe(plain, layer=layers[0])) == len(HITS)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_spreadsheet_runs_no_formula_of_a_category(tmp_path: Path, start: str) -> None:
    evil = f'{start}HYPERLINK("http://x","y")'
    write([hit(1, category=evil, uri=evil, score=-0.5)], tmp_path / "hits.csv")
    with (tmp_path / "hits.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["category"] == row["scene"] == f"'{evil}"
    assert float(row["score"]) == -0.5, "a number is none"


def test_hits_go_down_a_pipe_and_to_stdout(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert write(HITS, "-") == len(HITS)
    assert len(json.loads(capfdbinary.readouterr().out)["features"]) >= len(HITS)
    pipe, got = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write(HITS, pipe)
    reader.join(30)
    assert len(got[0].splitlines()) == 1 + len(HITS)
    os.mkfifo(tmp_path / "pipe.shp")
    with pytest.raises(InputError, match="a pipe takes one"):
        write(HITS, tmp_path / "pipe.shp")
    with pytest.raises(InputError, match="style does not go with"):
        write(HITS, "-", style=True)


RECORDED = (
    '{"type": "Feature", "id": "00000000000000000000000000000003", "geometry": {"type": "Polygon", "coordinates": '
)
"""How a feature begins, letter by letter."""
PROPERTIES = (
    '"properties": {"rank": 3, "score": 0.47, "probability": null, "id": "00000000000000000000000000000003", '
    '"category": "Überschwemmung 水 🌊", '
    '"fractions": {"water": 0.25, "Überbau \\"; \'": 0.75}, "datetime": "2020-05-01T12:30:00Z", "gsd": 28.1, '
    '"valid_share": 0.9, "scene": "/data/Überschwemmung 水 🌊.tif", "row": 3, "col": 0, "size": 64, '
    '"partners": [], "spot": null}}'
)


def test_text_is_written_letter_by_letter_as_before(tmp_path: Path) -> None:
    write([HITS[2]], tmp_path / "hits.geojsonl")
    (line,) = (tmp_path / "hits.geojsonl").read_text(encoding="utf-8").splitlines()
    assert line.startswith(RECORDED)
    assert line.endswith(PROPERTIES)
