"""Geometries and their CRS from WKT, GeoJSON text and vector files."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from ..errors import InputError
from .bbox import WGS84
from .vector_file import crs_of, read_frame, reason_of, shorten

MAX_NESTED = 64
"""Collections within each other: GEOS reads them one within the other, on the stack."""

Geometries = tuple[list[BaseGeometry | None], CRS]


def read_geojson(text: str) -> Geometries:
    """Read GeoJSON text: a geometry, a feature or a collection, its `crs` member obeyed where there is one.

    Raises:
        InputError: it is no GeoJSON, or names an unknown CRS.
    """
    try:
        document = json.loads(text)
        if document.get("type") is None:
            raise ValueError("it has no type")
        features = document["features"] if document.get("type") == "FeatureCollection" else [document]
        found = [feature.get("geometry") if "geometry" in feature else feature for feature in features]
        geometries = [shapely.geometry.shape(geometry) if geometry is not None else None for geometry in found]
        named = document.get("crs")
        name = named["properties"]["name"] if named else None
    except RecursionError as error:
        raise InputError("region is GeoJSON nested too deeply; give a polygon") from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, shapely.errors.ShapelyError) as error:
        raise InputError(f"region is not valid GeoJSON ({reason_of(error)}); give a polygon") from error
    return geometries, _crs(name, "given as GeoJSON text") if name else WGS84


def read_wkt(text: str) -> Geometries:
    """Read WKT, or EWKT with its `SRID=...;`.

    Raises:
        InputError: it is no WKT, or names an unknown CRS.
    """
    srid, _, wkt = text.rpartition(";")
    if wkt.upper().count("GEOMETRYCOLLECTION") > MAX_NESTED:
        raise InputError("region is WKT nested too deeply; write POLYGON((lon lat, ...))")
    try:
        with np.errstate(all="ignore"):  # infinities are refused by name
            geometry = shapely.from_wkt(wkt)
    except shapely.errors.ShapelyError as error:
        cut_off = wkt.count("(") != wkt.count(")")
        reason = "it ends before its brackets close" if cut_off else reason_of(error)
        raise InputError(f"region is not valid WKT ({reason}); write POLYGON((lon lat, ...))") from error
    if not srid:
        return [geometry], WGS84
    name, _, code = srid.partition("=")
    if name.strip().upper() != "SRID" or not code.strip().isdecimal():
        raise InputError(f"region has the unknown {shorten(srid)!r}; write an EPSG code, for instance SRID=32632")
    return [geometry], _crs(f"EPSG:{code.strip()}", "given as WKT")


def read_file(path: str | Path, layer: str | None = None) -> Geometries:
    """Read a vector file; of several layers that named, or the only one with polygons; of its features those selected.

    Raises:
        InputError: it cannot be read, or it is not clear which layer is meant.
        CRSError: it has no CRS.
    """
    file, selected = _split(str(path))
    name = f"region file {shorten(str(file))}"
    layer = layer or selected.pop("layer", [None])[0]
    frame = read_frame(file, name, lambda layers: _layer(layers, layer, name), "give a vector file of polygons")
    for column, values in selected.items():
        frame = frame[_selected(frame, column, values, name)]
    if not hasattr(frame, "geometry") or not hasattr(frame, "crs"):
        raise InputError(f"{name} has no geometries; give a vector file of polygons")
    return list(frame.geometry), crs_of(frame, file, name)


def _split(text: str) -> tuple[Path, dict[str, list[str]]]:
    """Split `FILE#layer=NAME&name=Texas` into the file and what is selected from it, each name with its values.

    A file that has a # in its name is found all the same.

    Raises:
        InputError: there is no such file, or what stands behind the # is no selection.
    """
    name, mark, fragment = text.rpartition("#")
    try:
        if Path(text).exists():
            return Path(text), {}
        found = bool(mark) and Path(name).exists()
    except (OSError, ValueError):
        found = False  # a name that no file can have
    if found:
        selected: dict[str, list[str]] = {}
        for term in fragment.split("&"):
            key, _, value = term.partition("=")
            if not key or not value:
                raise InputError(f"region {shorten(text)!r} selects nothing; write FILE#layer=NAME or FILE#name=Texas")
            selected.setdefault(key, []).append(value)
        return Path(name), selected
    raise InputError(
        f"region {shorten(text)!r} is neither a file nor WKT; give a GeoJSON or GeoPackage file, or POLYGON((...))"
    )


def _layer(layers: Mapping[str, str], layer: str | None, name: str) -> str | None:
    """Choose the layer to read.

    Raises:
        InputError: there are several with polygons, or none has this name.
    """
    names = ", ".join(map(repr, layers))
    if layer is not None:
        if layer not in layers:
            raise InputError(f"{name} has no layer {layer!r}; it has {shorten(names)}")
        return layer
    if len(layers) < 2:
        return None
    areas = [one for one, kind in layers.items() if "Polygon" in kind]
    if len(areas) != 1:
        raise InputError(f"{name} has several layers: {shorten(names)}; write FILE#layer=NAME")
    return areas[0]


def _selected(frame: Any, column: str, values: list[str], name: str) -> Any:
    """Tell which features have one of the values in a column; numbers are compared as numbers.

    Raises:
        InputError: there is no such column, or no feature has such a value.
    """
    columns = [one for one in map(str, frame.columns) if one != frame.geometry.name]
    if column not in columns:
        raise InputError(f"{name} has no column {column!r}; it has {shorten(', '.join(columns))}")
    cells = frame[column]
    if cells.dtype.kind in "iuf":
        numbers = [float(value) for value in values if re.fullmatch(r"[+-]?[\d.]+(?:e[+-]?\d+)?", value, re.IGNORECASE)]
        chosen = cells.isin(numbers)
    else:
        chosen = cells.astype(str).isin(values)
    if not chosen.any():
        known_values = sorted(map(str, cells.dropna().unique()))
        near = difflib.get_close_matches(values[0], known_values, 3, 0.6) or known_values
        raise InputError(f"{name} has no feature with {column} {values[0]!r}; there is {shorten(', '.join(near))}")
    return chosen


def _crs(name: str, source: str) -> CRS:
    try:
        return CRS.from_user_input(name)
    except (pyproj.exceptions.CRSError, TypeError) as error:
        raise InputError(
            f"region {source} has the unknown CRS {shorten(str(name))!r}; write an EPSG code, for instance SRID=32632"
        ) from error
