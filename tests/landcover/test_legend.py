"""Legends: those of the package, of files, and of rasters by every way they can have one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas
import pyogrio
import pytest
import rasterio
from synthetic import raster

from geocmer.errors import GeocmerError
from geocmer.landcover.bundled_legends import legend_names
from geocmer.landcover.layer import LandCover
from geocmer.landcover.legend import Legend


@pytest.mark.parametrize("name", legend_names())
def test_bundled_legends_are_whole(name: str) -> None:
    legend = Legend.load(name)
    assert len(legend.classes) >= 6
    assert not legend.nodata & set(legend.classes)
    for code, entry in legend.classes.items():
        assert entry.code == code
        assert entry.label.strip()
        assert entry.category == legend.category(entry.label)
        assert entry.category == entry.category.strip().lower()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "code,label\n1,water\n2,\"wood, 'old'; Ü\"\n"),
        ("a.csv", "\ufeffcode, label, extra\n1, water, x\n2, \"wood, 'old'; Ü\", y\n"),
        ("a.csv", "Code;Label\n1;water\n\n2;\"wood, 'old'; Ü\"\n"),
        ("a.csv", "\n CODE \tLABEL\n1\twater\n1\twater\n2\twood, 'old'; Ü\n"),
        ("a.json", json.dumps({"classes": [{"code": 1, "label": "water"}, {"code": 2, "label": "wood, 'old'; Ü"}]})),
        ("a.json", json.dumps([{"code": 1, "label": "water"}, {"code": 2, "label": "wood, 'old'; Ü"}])),
    ],
)
def test_a_legend_file_of_ones_own(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    legend = Legend.load(tmp_path / name)
    assert {code: entry.label for code, entry in legend.classes.items()} == {1: "water", 2: "wood, 'old'; Ü"}
    assert legend.label(3) == "unknown 3"


def test_category_words_may_differ_from_labels(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "code,label,category\n41,Deciduous Forest,forest\n42,Evergreen Forest,forest\n7,Sea,\n"
    )
    legend = Legend.load(tmp_path / "a.csv")
    assert [legend.category(label) for label in ("Deciduous Forest", "Evergreen Forest", "Sea", "unknown 9")] == [
        *["forest", "forest", "sea", "unknown 9"]
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ""),
        ("a.csv", "code,label\n"),
        ("a.csv", "value,name\n1,water\n"),
        ("a.csv", "code,label\n1.5,water\n"),
        ("a.csv", "code,label\n1,water\n1,wood\n"),
        ("a.json", "{"),
        ("a.json", "{}"),
        ("a.json", "3"),
        ("a.json", '{"classes": [{"label": "water"}]}'),
        ("a.json", "[" * 100_000),
        ("a.json", '[{"code": 1e999, "label": "water"}]'),
        ("a.csv", "code,label\n1," + "x" * 200_000),
    ],
)
def test_what_is_no_legend_is_refused_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GeocmerError) as caught:
        Legend.load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_an_unknown_legend_names_the_known_ones() -> None:
    with pytest.raises(GeocmerError, match="esa_worldcover") as caught:
        Legend.load("no'such;legend")
    assert "no'such;legend" in str(caught.value)


def test_a_rasters_own_legend_by_every_way_it_can_have_one(tmp_path: Path) -> None:
    codes = np.array([[[1, 2], [2, 4]]], "uint8")
    with pytest.raises(GeocmerError, match="--legend"):
        Legend.from_raster(raster(tmp_path / "bare.tif", codes))

    coloured = raster(tmp_path / "coloured.tif", codes)
    with rasterio.open(coloured, "r+") as file:
        file.write_colormap(1, {1: (0, 0, 255, 255), 2: (0, 255, 0, 255), 4: (9, 9, 9, 255)})
    assert sorted(Legend.from_raster(coloured).classes) == [1, 2, 4]
    (note,) = LandCover.open(coloured).notes
    assert "no names" in note
    assert "--legend" in note

    named = tmp_path / "named.tif"
    shutil.copy(coloured, named)
    entries = "".join(f"<Category>{name}</Category>" for name in ("", "water", "wood &amp; 'old'", "", "Ü"))
    band = f'<PAMRasterBand band="1"><CategoryNames>{entries}</CategoryNames></PAMRasterBand>'
    named.with_name("named.tif.aux.xml").write_text(f"<PAMDataset>{band}</PAMDataset>")
    expected = {1: "water", 2: "wood & 'old'", 4: "Ü"}
    assert {code: c.label for code, c in Legend.from_raster(named).classes.items()} == expected
    assert not LandCover.open(named).notes

    for path in (tmp_path / "table.tif", tmp_path / "esri.tif"):
        shutil.copy(coloured, path)
    fields = [("Count", 0, 1), ("Value", 0, 5), ("Class", 2, 2)]
    table = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate(fields)
    )
    cells = [(7, 1, "water"), (8, 2, "wood &amp; 'old'"), (9, 4, "Ü"), (0, 5, "")]
    table += "".join(
        f'<Row index="{i}"><F>{count}</F><F>{value}</F><F>{name}</F></Row>'
        for i, (count, value, name) in enumerate(cells)
    )
    (tmp_path / "table.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable>{table}</GDALRasterAttributeTable>'
        "</PAMRasterBand></PAMDataset>"
    )
    assert {code: c.label for code, c in Legend.from_raster(tmp_path / "table.tif").classes.items()} == expected

    frame = pandas.DataFrame({"Value": [1, 2, 4, 5], "Count": [7.0] * 4, "Class": [*expected.values(), ""]})
    pyogrio.write_dataframe(frame, tmp_path / "x.dbf", driver="ESRI Shapefile")
    for suffix in ("dbf", "cpg"):
        (tmp_path / f"x.{suffix}").rename(tmp_path / f"esri.tif.vat.{suffix}")
    assert {code: c.label for code, c in Legend.from_raster(tmp_path / "esri.tif").classes.items()} == expected


def test_real_rasters_bring_their_legends(shared_data: Path) -> None:
    geo = shared_data / "geo"
    zion = Legend.from_raster(geo / "zion_nlcd" / "nlcd.tif")
    assert [zion.label(code) for code in (1, 4, 8)] == ["Water", "Forest", "Wetlands"]
    assert len(Legend.from_raster(geo / "stars_olinda_l7" / "lc.tif").classes) > 10
    cover = Legend.from_raster(next((geo / "worldcover_N00E006").glob("*.tif")))
    assert set(cover.classes) <= set(Legend.load("esa_worldcover").classes) | {0}
