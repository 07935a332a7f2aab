"""A QGIS style that shades footprints by score: dark for the least, bright for the best, best on top.

QGIS takes `hits.qml` for `hits.geojson` by itself where the two lie side by side, and a GeoPackage can carry its style
inside. Tried in QGIS 3.22 (3.20 or newer is needed: older ones read another form of the same).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from .stream import HitStream

SCORE_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Viridis in five steps: even to the eye, and told apart by people who are colour-blind."""
UNSCORED_COLOUR = "#21918c"
"""Where nothing was scored."""


def qml(stream: HitStream, column: str = "score") -> str:
    """Make the style for hits that were streamed.

    Args:
        stream: its scores set the classes, equal in width.
        column: that holds the score.
    """
    colours = SCORE_COLOURS if stream.scored else (UNSCORED_COLOUR,)
    symbols = "".join(_symbol(number, colour) for number, colour in enumerate(colours))
    if stream.scored:
        edges = np.linspace(stream.min_score, stream.max_score, len(SCORE_COLOURS) + 1)
        ranges = "".join(
            f'<range symbol="{number}" lower="{lower:.9f}" upper="{upper:.9f}" render="true"'
            f' label="{lower:.3f} to {upper:.3f}"/>'
            for number, (lower, upper) in enumerate(zip(edges - _SCORE_MARGIN, edges[1:] + _SCORE_MARGIN, strict=False))
        )
        renderer = (
            f'<renderer-v2 type="graduatedSymbol" attr={quoteattr(_quoted(column))} graduatedMethod="GraduatedColor"'
            f' symbollevels="0" enableorderby="1"><ranges>{ranges}</ranges><symbols>{symbols}</symbols>'
            f'<orderby><orderByClause asc="1" nullsFirst="1">{_quoted(column)}</orderByClause></orderby></renderer-v2>'
        )
    else:
        renderer = f'<renderer-v2 type="singleSymbol"><symbols>{symbols}</symbols></renderer-v2>'
    return _document(renderer, kind=2)


def embed_styles(path: Path, styles: dict[str, str]) -> None:
    """Write styles into a GeoPackage, in the table where QGIS looks for them.

    Args:
        path: of the GeoPackage.
        styles: layer -> QML.

    Raises:
        OSError: SQLite cannot write it, as on a full disk.
    """
    try:
        _insert_styles(path, styles)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def _insert_styles(path: Path, styles: dict[str, str]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),"
            " f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30),"
            " styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),"
            " update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles')"
        )
        database.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
            " styleQML, styleSLD, useAsDefault, description, owner)"
            " SELECT '', '', table_name, column_name, 'geocmer', ?, '', 1, '', ''"
            " FROM gpkg_geometry_columns WHERE table_name = ?",
            [(text, layer) for layer, text in styles.items()],
        )


_SCORE_MARGIN = 1e-6
"""Scores are written with 6 decimals: the least and the greatest must not leave their classes by rounding."""


def _quoted(column: str) -> str:
    return f'"{column}"'


def _document(renderer: str, kind: int) -> str:
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        f'<qgis version="3.22.0" styleCategories="Symbology">{renderer}'
        f"<layerGeometryType>{kind}</layerGeometryType></qgis>\n"
    )


def _symbol(number: int, colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return _layered(
        number,
        "fill",
        "SimpleFill",
        {
            "color": f"{red},{green},{blue},110",
            "style": "solid",
            "outline_color": f"{red},{green},{blue},255",
            "outline_style": "solid",
            "outline_width": "0.5",
            "outline_width_unit": "MM",
        },
    )


def _layered(number: int, kind: str, layer: str, values: dict[str, str]) -> str:
    options = "".join(f'<Option name="{key}" type="QString" value="{value}"/>' for key, value in values.items())
    return (
        f'<symbol name="{number}" type="{kind}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="{layer}" enabled="1" locked="0" pass="0"><Option type="Map">{options}</Option></layer>'
        "</symbol>"
    )


_DASHES = {"line_color": "214,39,40,255", "line_style": "dash", "line_width": "0.5", "line_width_unit": "MM"}
QML_OF_LINES = _document(
    f'<renderer-v2 type="singleSymbol"><symbols>{_layered(0, "line", "SimpleLine", _DASHES)}</symbols></renderer-v2>',
    kind=1,
)
"""For the lines from hits to their partners."""

_FRAME = {"style": "no", "outline_color": "214,39,40,255", "outline_style": "solid", "outline_width": "0.6"}
QML_OF_SPOTS = _document(
    f'<renderer-v2 type="singleSymbol"><symbols>{_layered(0, "fill", "SimpleFill", _FRAME)}</symbols></renderer-v2>',
    kind=2,
)
"""For the boxes in which the tiles answer the question."""
