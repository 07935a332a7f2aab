"""A raster's own legend: its attribute table, else its category names, else its colour table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import rasterio.shutil

_NAME, _MIN, _MAX, _MIN_MAX = "2", "3", "4", "5"
"""GDALRATFieldUsage."""
_CODE_NAMES = ("value", "code", "class_code", "gridcode", "grid_code", "class_id", "id")
_LABEL_NAMES = (
    "class_name", "classname", "class_names", "label", "name", "class", "land_cover", "landcover", "lc_class",
    "description", "desc", "category", "type",
)  # fmt: skip
_MAX_RANGE = 65536
"""Codes of one class: more is a table of measurements, and no legend."""


def gdal_description(path: Path, band: int) -> ElementTree.Element:
    """Read GDAL's description of a band, whatever the format: rasterio gives neither tables nor names, a VRT does."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "description.vrt"
        rasterio.shutil.copy(path, copy, driver="VRT")
        found = ElementTree.parse(copy).find(f"VRTRasterBand[@band='{band}']")
    return ElementTree.Element("VRTRasterBand") if found is None else found


def esri_table(path: Path) -> list[dict[str, Any]]:
    """Read an attribute table in a `.vat.dbf` beside the raster: the column VALUE and the best column of text."""
    sidecar = path.with_name(path.name + ".vat.dbf")
    if not sidecar.is_file():
        return []
    import pyogrio

    table = pyogrio.read_dataframe(sidecar, read_geometry=False)
    value = first_of(name for name in table.columns if name.lower() == "value")
    label = _best_label({name: str(name) for name in table.columns if table[name].dtype.kind not in "biuf"})
    if value is None or label is None:
        return []
    rows = zip(table[value], table[label], strict=True)
    return [{"code": code, "label": name} for code, name in rows if isinstance(name, str) and name.strip()]


def attribute_table(band: ElementTree.Element) -> list[dict[str, Any]]:
    """Read GDAL's raster attribute table: columns by their declared usage first, then by their names."""
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return []
    fields = table.findall("FieldDefn")
    names = [field.findtext("Name", "").strip() for field in fields]
    usages = [field.findtext("Usage", "") for field in fields]
    texts = {i: names[i] for i, field in enumerate(fields) if field.findtext("Type", "") == "2"}
    label = usages.index(_NAME) if _NAME in usages else _best_label(texts)
    if label is None:
        return []
    low = usages.index(_MIN_MAX) if _MIN_MAX in usages else usages.index(_MIN) if _MIN in usages else None
    high = usages.index(_MAX) if low is not None and usages[low] == _MIN and _MAX in usages else low
    if low is None:
        low = high = first_of(
            i for known in _CODE_NAMES for i, name in enumerate(names) if name.lower() == known and i != label
        )
    found: dict[int, str] = {}
    for row in table.findall("Row"):
        cells = [(cell.text or "").strip() for cell in row.findall("F")]
        first, last = (row.get("index", "0"),) * 2 if low is None or high is None else (cells[low], cells[high])
        if cells[label] and first and last:
            start, end = math.ceil(float(first)), math.floor(float(last))
            if end - start >= _MAX_RANGE:
                raise ValueError(f"class {cells[label]!r} has codes from {first} to {last}")
            for code in range(start, end + 1):
                if low == high and found.get(code, cells[label]) != cells[label]:
                    raise ValueError(f"code {code} is {found[code]!r} and {cells[label]!r}")
                found.setdefault(code, cells[label])  # of ranges that touch the first counts, as in GDAL
    return [{"code": code, "label": name} for code, name in found.items()]


def _best_label(texts: Mapping[Any, str]) -> Any:
    """Choose the column of names among those of text: by its own name, else the first that is no colour; or None."""
    named = first_of(key for known in _LABEL_NAMES for key, name in texts.items() if name.lower() == known)
    if named is not None:
        return named
    return first_of(key for key, name in texts.items() if not re.search(r"hex|colou?r|rgb|symbol", name, re.I))


def first_of(found: Iterable[Any]) -> Any:
    """Give the first item, or None."""
    return next(iter(found), None)
