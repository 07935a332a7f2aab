"""The style that QGIS finds beside and within what is exported."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import pyogrio
import pytest
from hits import HITS, hit

from geocmer.export import write

# -- QGIS -------------------------------------------------------------------------------------------------------------


def _child(element: ElementTree.Element, path: str) -> ElementTree.Element:
    found = element.find(path)
    assert found is not None
    return found


def classes(qml: str) -> list[tuple[float, float, str]]:
    """Lower, upper and colour of each class of a graduated renderer."""
    root = ElementTree.fromstring(qml.split("\n", 1)[1])
    renderer = _child(root, "renderer-v2")
    assert renderer.get("attr") == '"score"'
    symbols = {symbol.get("name"): symbol for symbol in renderer.iterfind("symbols/symbol")}
    return [
        (
            float(one.get("lower", "nan")),
            float(one.get("upper", "nan")),
            _child(symbols[one.get("symbol")], ".//Option[@name='color']").get("value", ""),
        )
        for one in renderer.iterfind("ranges/range")
    ]


@pytest.mark.parametrize("scores", [[0.5], [0.25, 0.25], [-0.1, 0.3333333, 0.9999999], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
def test_the_style_has_a_class_for_every_score(tmp_path: Path, scores: list[float]) -> None:
    write([hit(n, score=score) for n, score in enumerate(scores)], tmp_path / "hits.geojson", style=True)
    found = classes((tmp_path / "hits.qml").read_text())
    written = [round(score, 6) for score in scores]
    for score in written:
        assert any(lower <= score <= upper for lower, upper, _ in found)
    colours = [next(colour for lower, upper, colour in found if lower <= score <= upper) for score in written]
    if len(scores) == 6:
        assert len(set(colours)) == 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hits.geojson", "hits.qml"]


def test_the_style_of_unscored_tiles_is_plain(tmp_path: Path) -> None:
    write([HITS[-1]], tmp_path / "tiles.fgb", style=True)
    root = ElementTree.fromstring((tmp_path / "tiles.qml").read_text().split("\n", 1)[1])
    assert _child(root, "renderer-v2").get("type") == "singleSymbol"


def test_a_geopackage_carries_its_style(tmp_path: Path) -> None:
    write(HITS, tmp_path / "my hits.gpkg")
    database = sqlite3.connect(tmp_path / "my hits.gpkg")
    styles = database.execute("SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles")
    (table, column, qml, default), line = styles.fetchall()
    layers = database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall()
    assert layers == [(table, column), line[:2]]
    assert default == line[3] == 1
    assert len(classes(qml)) == 5
    assert _child(ElementTree.fromstring(line[2].split("\n", 1)[1]), ".//symbol").get("type") == "line"
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert pyogrio.read_info(tmp_path / "my hits.gpkg")["layer_name"] == "my hits", "the hits come first"
