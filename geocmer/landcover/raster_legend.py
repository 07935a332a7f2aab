"""A raster's own legend: its attribute table, else its category names, else its colour table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import rasterio
import rasterio.shutil


def gdal_description(path: Path, band: int) -> ElementTree.Element:
    """Read GDAL's description of a band, whatever the format: rasterio gives neither tables nor names, a VRT does."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "description.vrt"
        rasterio.shutil.copy(path, copy, driver="VRT")
        found = ElementTree.parse(copy).find(f"VRTRasterBand[@band='{band}']")
    return ElementTree.Element("VRTRasterBand") if found is None else found


def esri_table(path: Path) -> list[dict[str, Any]]:
    """Read an attribute table in a `.vat.dbf` beside the raster: the column VALUE and the first column of text."""
    sidecar = path.with_name(path.name + ".vat.dbf")
    if not sidecar.is_file():
        return []
    import pyogrio

    table = pyogrio.read_dataframe(sidecar, read_geometry=False)
    value = first_of(name for name in table.columns if name.lower() == "value")
    label = first_of(name for name in table.columns if table[name].dtype.kind not in "biuf")
    if value is None or label is None:
        return []
    rows = zip(table[value], table[label], strict=True)
    return [{"code": code, "label": name} for code, name in rows if isinstance(name, str) and name.strip()]


def attribute_table(band: ElementTree.Element) -> list[dict[str, Any]]:
    """Read GDAL's raster attribute table: its value column (usage 5 or named so) and its first name (usage 2)."""
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return []
    fields = [
        (f.findtext("Name", ""), f.findtext("Usage", ""), f.findtext("Type", "")) for f in table.findall("FieldDefn")
    ]
    value = first_of(
        i for i, (name, usage, _) in enumerate(fields) if usage == "5" or name.lower() in {"value", "code", "id"}
    )
    label = first_of(i for i, (_, usage, kind) in enumerate(fields) if i != value and (usage == "2" or kind == "2"))
    if label is None:
        return []
    rows = [(row.get("index", "0"), [cell.text or "" for cell in row.findall("F")]) for row in table.findall("Row")]
    named = [(cells[value] if value is not None else index, cells[label]) for index, cells in rows]
    return [{"code": int(float(code)), "label": name} for code, name in named if name]


def first_of(found: Iterable[Any]) -> Any:
    """Give the first item, or None."""
    return next(iter(found), None)
