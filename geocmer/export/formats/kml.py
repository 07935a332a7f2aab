"""KML 2.2 (OGC 07-147r2) for Google Earth: a placemark a hit, with its time, a description and its attributes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from ...search.results import Hit
from ..format import Format
from ..options import ExportOptions
from ..qgis_style import SCORE_COLOURS
from ..record import COLUMNS, data_url, flat_attributes, partner_lines
from ..stream import HitStream

NAMESPACE = "http://www.opengis.net/kml/2.2"
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""
_TYPES = dict.fromkeys(("rank", "row", "col", "size"), "int") | dict.fromkeys(
    ("score", "probability", "gsd", "valid_share"), "double"
)
_TILE = {name: _TYPES.get(name, "string") for name in (*COLUMNS, "thumbnail")}
_LINE = dict.fromkeys(("hit", "relation", "id"), "string") | dict.fromkeys(("score", "distance_m", "bearing"), "double")
COLUMN_NAMES = {"id": "tile"}
"""What attributes are called, where another name than `COLUMNS` has is needed: `id` is KML's own for a placemark."""
_SCHEMAS = {"tile": _TILE, "partner": {"rank": "int", **_LINE}}
"""What a placemark may hold: name -> type in KML."""


def write(stream: HitStream, path: Path, options: ExportOptions) -> None:
    """Write the hits, and after each the lines to its partners."""
    with path.open("w", encoding="utf-8") as file:
        xml = _Xml(file)
        with xml.element("kml", xmlns=NAMESPACE), xml.element("Document"):
            xml.leaf("name", options.title or options.path.stem)
            xml.style("tile", SCORE_COLOURS[-1], fill="40")
            xml.style("partner", SCORE_COLOURS[2], fill="00")
            for name, fields in _SCHEMAS.items():
                with xml.element("Schema", name=name, id=f"{name}s"):
                    for field, kind in fields.items():
                        if field != "thumbnail" or options.thumbnails:
                            xml.leaf("SimpleField", "", name=COLUMN_NAMES.get(field, field), type=kind)
            # GDAL takes a folder for a layer, and finds none without one if there are no hits
            with xml.element("Folder"):
                xml.leaf("name", "hits")
                for batch in stream:
                    for hit, shape in zip(*batch, strict=True):
                        xml.hit(hit, shape, thumbnail=options.thumbnails)


def _title(hit: Hit) -> str:
    return f"{hit.rank}. {hit.category}" if hit.category else f"{hit.rank}"


def _description(hit: Hit, values: Mapping[str, Any]) -> str:
    """Write the attributes that people read as a table of HTML, which KML shows in a balloon."""
    shown = {name: values[name] for name in ("score", "probability", "category", "datetime", "gsd", "scene", "id")}
    shown |= {name: f"{share:.0%}" for name, share in sorted(hit.fractions.items(), key=lambda item: -item[1])}
    shown |= {partner.relation: f"{partner.distance_m:.0f} m" for partner in hit.partners}
    image = f'<img src="{values["thumbnail"]}"/>' if values.get("thumbnail") else ""
    rows = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in shown.items()
        if value is not None
    )
    return f"{image}<table>{''.join(rows)}</table>"


class _Xml(XMLGenerator):
    """Writes KML elements as they come."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="utf-8", short_empty_elements=True)
        self.startDocument()

    @contextmanager
    def element(self, name: str, /, **attributes: str) -> Iterator[None]:
        """Write an element around what is written meanwhile."""
        self.startElement(name, AttributesImpl(attributes))
        yield
        self.endElement(name)

    def leaf(self, name: str, text: str, /, **attributes: str) -> None:
        """Write an element that holds text."""
        with self.element(name, **attributes):
            self.characters(_NO_XML.sub("\ufffd", text))

    def style(self, name: str, colour: str, *, fill: str) -> None:
        """Write a style; KML writes colours as alpha, blue, green, red."""
        red, green, blue = colour[1:3], colour[3:5], colour[5:7]
        with self.element("Style", id=name):
            with self.element("LineStyle"):
                self.leaf("color", f"ff{blue}{green}{red}")
                self.leaf("width", "2")
            with self.element("PolyStyle"):
                self.leaf("color", f"{fill}{blue}{green}{red}")

    def hit(self, hit: Hit, shape: BaseGeometry, *, thumbnail: bool) -> None:
        """Write a hit, and the lines to its partners."""
        values = flat_attributes(hit)
        if thumbnail:
            values["thumbnail"] = data_url(hit.thumbnail)
        self.placemark("tile", _title(hit), _description(hit, values), values, shape)
        for line, partner in partner_lines(hit):
            self.placemark("partner", f"{hit.rank}: {partner['relation']}", "", partner, line)

    def placemark(
        self, schema: str, name: str, description: str, values: Mapping[str, Any], shape: BaseGeometry
    ) -> None:
        """Write a feature; its elements have to stand in this order."""
        with self.element("Placemark"):
            self.leaf("name", name)
            if description:
                self.leaf("description", description)
            if values.get("datetime"):
                with self.element("TimeStamp"):
                    self.leaf("when", values["datetime"])
            self.leaf("styleUrl", f"#{schema}")
            with self.element("ExtendedData"), self.element("SchemaData", schemaUrl=f"#{schema}s"):
                for field in _SCHEMAS[schema]:
                    if values.get(field) is not None:
                        self.leaf("SimpleData", str(values[field]), name=COLUMN_NAMES.get(field, field))
            self.geometry(shape)
        self.characters("\n")

    def geometry(self, shape: BaseGeometry) -> None:
        """Write a polygon, a line, or a collection of them."""
        if isinstance(shape, Polygon):
            with self.element("Polygon"):
                for place, ring in [
                    ("outerBoundaryIs", shape.exterior),
                    *(("innerBoundaryIs", r) for r in shape.interiors),
                ]:
                    with self.element(place), self.element("LinearRing"):
                        self.leaf("coordinates", _coordinates(ring))
        elif isinstance(shape, LineString):
            with self.element("LineString"):
                self.leaf("tessellate", "1")
                self.leaf("coordinates", _coordinates(shape))
        else:
            with self.element("MultiGeometry"):
                for part in shapely.get_parts(shape):
                    self.geometry(part)


def _coordinates(shape: BaseGeometry) -> str:
    return " ".join(f"{x:.7f},{y:.7f}" for x, y in shapely.get_coordinates(shape))


FORMATS = (Format(".kml", "KML, with the time and a description", "Google Earth", write, styled=False),)
