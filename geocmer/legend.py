"""Legends: what the codes of a land-cover layer mean."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from xml.etree import ElementTree

import rasterio
import rasterio.shutil

from .errors import LandCoverError


@dataclass(frozen=True, slots=True)
class LandClass:
    """One class: its code in the raster, its label, and a short word for it in captions."""

    code: int
    label: str
    category: str


@dataclass(frozen=True, slots=True)
class Legend:
    """The classes of a land-cover layer by code."""

    name: str
    classes: Mapping[int, LandClass]
    nodata: frozenset[int] = frozenset()
    """Codes that mean no data, besides the raster's own nodata value."""

    @classmethod
    def load(cls, name: str | Path) -> Self:
        """A legend that ships with geocmer, by name, or a user's own CSV (code,label[,category]) or JSON file.

        Raises:
            LandCoverError: there is no such legend, or the file is not one.
        """
        folder = files("geocmer") / "data" / "legends"
        bundled = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir())
        try:
            if str(name) in bundled:
                raw = json.loads((folder / f"{name}.json").read_text("utf-8"))
                return cls.of(str(name), raw["classes"], raw["nodata"])
            path = Path(name)
            if not path.is_file():
                raise LandCoverError(
                    f"legend {str(name)!r} is unknown; use {', '.join(bundled)}, or a CSV or JSON file"
                )
            text = path.read_text("utf-8-sig")
            if path.suffix.lower() == ".json":
                raw = json.loads(text)
                table = raw if isinstance(raw, dict) else {"classes": raw}
                return cls.of(path.stem, table["classes"], table.get("nodata", ()))
            return cls.of(path.stem, csv.DictReader(text.splitlines(), skipinitialspace=True))
        except (ValueError, KeyError, TypeError) as error:
            raise LandCoverError(
                f"legend {name} cannot be read ({type(error).__name__}: {error}); a CSV needs the columns code,label "
                'and a JSON {"classes": [{"code", "label"}]}'
            ) from error

    @classmethod
    def of(cls, name: str, rows: Iterable[Mapping[str, Any]], nodata: Iterable[int] = ()) -> Self:
        """From rows with `code`, `label` and, optionally, `category` (the label, lower case, if absent)."""
        classes: dict[int, LandClass] = {}
        for row in rows:
            code, label = int(row["code"]), str(row["label"]).strip()
            if code in classes:
                raise LandCoverError(f"legend {name} has code {code} twice; remove one")
            classes[code] = LandClass(code, label, str(row.get("category") or label.lower()).strip())
        if not classes:
            raise LandCoverError(f"legend {name} has no classes; a CSV needs the columns code,label")
        return cls(name, classes, frozenset(nodata))

    @classmethod
    def from_raster(cls, path: Path, band: int = 1) -> Self:
        """The raster's own legend: its attribute table, else its category names, else its colour table.

        Raises:
            LandCoverError: it has none of them.
        """
        described = _description(path, band)
        table = _attribute_table(described) or _esri_table(path)
        if table:
            return cls.of(f"{path.name} attribute table", table)
        names = [node.text or "" for node in described.iterfind("CategoryNames/Category")]
        if any(names):
            return cls.of(f"{path.name} category names", [{"code": i, "label": n} for i, n in enumerate(names) if n])
        with rasterio.open(path) as dataset:
            try:
                colours = dataset.colormap(band)
            except ValueError as error:
                raise LandCoverError(
                    f"land cover {path} has no attribute table, category names or colour table; "
                    "name its legend with --legend"
                ) from error
        # GDAL pads a colour table to 256 entries with opaque black: those are no classes.
        used = {code: colour for code, colour in colours.items() if colour[:3] != (0, 0, 0)}
        return cls.of(f"{path.name} colour table", [{"code": code, "label": _unnamed(code)} for code in used])

    @property
    def named(self) -> bool:
        """Whether any class has a name of its own, and not only its code."""
        return any(entry.label != _unnamed(code) for code, entry in self.classes.items())

    def label(self, code: int) -> str:
        """The label of a code; `unknown 17` where the legend has none."""
        return self.classes[code].label if code in self.classes else f"unknown {code}"

    def category(self, label: str) -> str:
        """The caption word of a label."""
        return next((c.category for c in self.classes.values() if c.label == label), label.lower())


def _unnamed(code: int) -> str:
    """What stands for the name of a class that has none."""
    return f"class {code}"


def _description(path: Path, band: int) -> ElementTree.Element:
    """What GDAL knows of a band, wherever the format keeps it: rasterio tells neither tables nor names, a VRT does."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "description.vrt"
        rasterio.shutil.copy(path, copy, driver="VRT")
        found = ElementTree.parse(copy).find(f"VRTRasterBand[@band='{band}']")
    return ElementTree.Element("VRTRasterBand") if found is None else found


def _esri_table(path: Path) -> list[dict[str, Any]]:
    """Rows of an attribute table in a `.vat.dbf` beside the raster: the column VALUE and the first column of text."""
    side = path.with_name(path.name + ".vat.dbf")
    if not side.is_file():
        return []
    import pyogrio

    table = pyogrio.read_dataframe(side, read_geometry=False)
    value = _first(name for name in table.columns if name.lower() == "value")
    label = _first(name for name in table.columns if table[name].dtype.kind not in "biuf")
    if value is None or label is None:
        return []
    rows = zip(table[value], table[label], strict=True)
    return [{"code": code, "label": name} for code, name in rows if isinstance(name, str) and name.strip()]


def _attribute_table(band: ElementTree.Element) -> list[dict[str, Any]]:
    """Rows of GDAL's raster attribute table: its value column (usage 5 or named so) and its first name (usage 2)."""
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return []
    fields = [
        (f.findtext("Name", ""), f.findtext("Usage", ""), f.findtext("Type", "")) for f in table.findall("FieldDefn")
    ]
    value = _first(
        i for i, (name, usage, _) in enumerate(fields) if usage == "5" or name.lower() in {"value", "code", "id"}
    )
    label = _first(i for i, (_, usage, kind) in enumerate(fields) if i != value and (usage == "2" or kind == "2"))
    if label is None:
        return []
    rows = [(row.get("index", "0"), [cell.text or "" for cell in row.findall("F")]) for row in table.findall("Row")]
    named = [(cells[value] if value is not None else index, cells[label]) for index, cells in rows]
    return [{"code": int(float(code)), "label": name} for code, name in named if name]


def _first(found: Iterable[Any]) -> Any:
    return next(iter(found), None)
