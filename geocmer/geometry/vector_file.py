"""Vector files as frames of geometries, and the polygons among geometries however they are nested."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from ..errors import CRSError, InputError
from .bbox import WGS84

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

_MAX_SHOWN = 60


def shorten(text: str) -> str:
    """Cut a text so that it can stand in a message."""
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def reason_of(error: Exception) -> str:
    """Say in a few words what a library complains of."""
    return shorten((str(error).splitlines() or [type(error).__name__])[0])


def read_frame(path: Path, name: str, choose: Callable[[Mapping[str, str]], str | None], hint: str) -> GeoDataFrame:
    """Read what GDAL reads, GeoParquet, or a CSV with a column of WKT.

    Args:
        path: of the file.
        name: for messages.
        choose: layers of the file with their type of geometry -> the one to read.
        hint: what to give instead.

    Raises:
        InputError: it cannot be read.
    """
    import geopandas
    import pyogrio

    suffix = path.suffix.lower()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyogrio's speak of its own parameters
            if suffix in (".parquet", ".geoparquet"):
                return geopandas.read_parquet(path)
            layers = {str(layer): str(kind or "") for layer, kind in pyogrio.list_layers(path)}
            wkt: dict[str, Any] = {"GEOM_POSSIBLE_NAMES": "WKT,wkt,geometry,geom"} if suffix == ".csv" else {}
            return geopandas.read_file(path, layer=choose(layers), **wkt)
    except InputError:
        raise
    except Exception as error:  # pyogrio, pyarrow and GDAL raise their own unrelated types
        raise InputError(f"{name} cannot be read ({reason_of(error)}); {hint}") from error


def columns_of(path: Path) -> list[str]:
    """List the columns of a vector file, over all its layers; none where it is no vector file."""
    import pyogrio

    try:
        layers = [str(layer) for layer, _ in pyogrio.list_layers(path)]
        found = [str(column) for layer in layers for column in pyogrio.read_info(path, layer=layer)["fields"]]
    except Exception:  # pyogrio and GDAL raise their own unrelated types
        return []
    return list(dict.fromkeys(found))


def crs_of(frame: GeoDataFrame, path: Path, name: str) -> CRS:
    """Tell the CRS of a frame; that of a CSV, which has none, is WGS84, as this tool and RFC 7946 write it.

    Raises:
        CRSError: it has none.
    """
    if frame.crs is not None:
        return CRS.from_user_input(frame.crs)
    if path.suffix.lower() != ".csv":
        raise CRSError(f"{name} has no CRS; assign one, for instance with ogr2ogr -a_srs EPSG:4326")
    return WGS84


def simple_parts(geometries: Sequence[BaseGeometry] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Take geometries (n,) apart, also collections within collections: points, lines and polygons (m,) are left."""
    parts: NDArray[np.object_] = np.asarray(shapely.get_parts(np.asarray(geometries, dtype=object)), dtype=object)
    while (shapely.get_type_id(parts) > 3).any():
        parts = shapely.get_parts(parts)
    return parts


def valid_polygons(geometries: Sequence[BaseGeometry | None]) -> list[Polygon]:
    """Take the valid polygons that have an area, in two dimensions; those that are not finite as they are."""
    parts = simple_parts([g for g in geometries if g is not None and not g.is_empty])
    areas = shapely.force_2d(parts[shapely.get_type_id(parts) == 3])
    if not np.isfinite(shapely.get_coordinates(areas)).all():
        return list(areas)  # to be refused by name
    valid = simple_parts(shapely.make_valid(areas))
    return list(valid[(shapely.get_type_id(valid) == 3) & (shapely.area(valid) > 0)])
