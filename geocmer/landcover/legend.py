"""Legends: what the codes of a land-cover layer mean."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import rasterio

from .._files import is_file
from ..errors import LandCoverError
from .bundled_legends import legend_names, read_legend
from .raster_legend import attribute_table, esri_table, gdal_description

# of another form; a folder, a code that is infinite, JSON too deep, CSV too long
_UNREADABLE = (
    ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError, RecursionError, csv.Error,
)  # fmt: skip


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
        """Load a bundled legend by name, or a user's own CSV (code,label[,category]) or JSON file.

        Raises:
            LandCoverError: there is no such legend, or the file is not one.
        """
        try:
            if str(name) in legend_names():
                raw = read_legend(str(name))
                return cls.from_rows(str(name), raw["classes"], raw.get("nodata", ()))
            path = Path(name)
            if not is_file(path):
                raise LandCoverError(
                    f"legend {str(name)[:100]!r} is unknown; use {', '.join(legend_names())}, or a CSV or JSON file"
                )
            text = path.read_text("utf-8-sig")
            if path.suffix.lower() == ".json":
                raw = json.loads(text)
                table = raw if isinstance(raw, dict) else {"classes": raw}
                return cls.from_rows(path.stem, table["classes"], table.get("nodata", ()))
            return cls.from_rows(path.stem, _csv_rows(text))
        except _UNREADABLE as error:
            raise LandCoverError(
                f"legend {str(name)[:100]} cannot be read ({type(error).__name__}: {error}); a CSV needs the columns "
                'code,label and a JSON {"classes": [{"code", "label"}]}'
            ) from error

    @classmethod
    def from_rows(cls, name: str, rows: Iterable[Mapping[str, Any]], nodata: Iterable[Any] = ()) -> Self:
        """Build a legend from rows of `code`, `label` and an optional `category` (if absent: the label, lower case)."""
        classes: dict[int, LandClass] = {}
        for row in rows:
            label = str(row.get("label") or "").strip()
            if not label:  # a code without a name is no class; it is told of where it occurs
                continue
            category = str(row.get("category") or label.lower()).strip()
            codes = [whole_number(row["code"])]
            if row.get("grid_code") is not None:  # the codes of the raster product, beside those of the nomenclature
                codes.append(whole_number(row["grid_code"]))
            for code in codes:
                if code in classes and classes[code].label != label:
                    raise LandCoverError(f"legend {name} has code {code} twice; remove one")
                classes[code] = LandClass(code, label, category)
        if not classes:
            raise LandCoverError(f"legend {name} has no classes; a CSV needs the columns code,label")
        return cls(name, classes, frozenset(whole_number(code) for code in nodata))

    @classmethod
    def from_raster(cls, path: Path, band: int = 1) -> Self:
        """Read the raster's own legend: its attribute table, else its category names, else its colour table.

        Raises:
            LandCoverError: it has none of them, or one that is no table of classes.
        """
        described = gdal_description(path, band)
        try:
            table = attribute_table(described) or esri_table(path)
            if table:
                return cls.from_rows(f"{path.name} attribute table", table)
        except _UNREADABLE as error:
            raise LandCoverError(
                f"land cover {path} has an attribute table that is no legend ({error}); name one with --legend"
            ) from error
        names = [node.text or "" for node in described.iterfind("CategoryNames/Category")]
        if any(names):
            return cls.from_rows(
                f"{path.name} category names", [{"code": i, "label": n} for i, n in enumerate(names) if n]
            )
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
        return cls.from_rows(
            f"{path.name} colour table", [{"code": code, "label": placeholder_label(code)} for code in used]
        )

    @property
    def has_names(self) -> bool:
        """Whether any class has a name of its own, and not only its code."""
        return any(entry.label != placeholder_label(code) for code, entry in self.classes.items())

    def label(self, code: int) -> str:
        """Give the label of a code; `unknown 17` where the legend has none."""
        return self.classes[code].label if code in self.classes else f"unknown {code}"

    def category(self, label: str) -> str:
        """Give the caption word of a label."""
        return next((c.category for c in self.classes.values() if c.label == label), label.lower())


def _csv_rows(text: str) -> Iterator[dict[str, str]]:
    """Read a table as spreadsheets write it: with commas, semicolons or tabs, and a header in any case."""
    header = text.lstrip().partition("\n")[0]
    rows = csv.DictReader(
        io.StringIO(text.lstrip()), skipinitialspace=True, delimiter=max(",;\t", key=header.count)
    )  # fmt: skip
    for row in rows:
        yield {name.strip().lower(): value for name, value in row.items() if name}


def placeholder_label(code: int) -> str:
    """Give the label of a class that has no name."""
    return f"class {code}"


def whole_number(value: Any) -> int:
    """Read a code, which tables write as 11, "11" or "11.0".

    Raises:
        ValueError: it is no whole number.
    """
    number = float(value)
    if number != int(number):
        raise ValueError(f"code {value} is not a whole number")
    return int(number)
