"""Hits of every kind, for the tests of exports and results."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from synthetic import NASTY, footprint, tile

from geocmer.export import known_formats
from geocmer.search.results import Hit, Partner

MOMENT = datetime(2020, 5, 1, 12, 30, tzinfo=UTC)


def hit(rank: int, **fields: object) -> Hit:
    row = tile(rank)
    values = {
        **{name: getattr(row, name) for name in ("id", "scene_id", "row", "col", "size")},
        "rank": rank,
        "score": 0.5 - rank / 100,
        "geometry": footprint(rank, 50, 0.1, 0.1, turn=10),
        "uri": f"/data/{NASTY[rank % len(NASTY)]}.tif",
        "datetime": MOMENT,
        "gsd": float(np.float32(28.1)),
        "valid_share": float(np.float32(0.9)),
        "category": NASTY[rank % len(NASTY)],
        "fractions": {"water": 0.25, "Überbau \"; '": 0.75},
        "captions": (),
        "thumbnail": None,
    }
    return Hit(**{**values, **fields})


RIVER = Partner(
    relation='near "river"',
    id=f"{99:032x}",
    score=0.75,
    distance_m=1234.567,
    bearing=359.97,
    geometry=footprint(1.2, 50, 0.1, 0.1),
    line=shapely.LineString([(1.05, 50.05), (1.25, 50.05)]),
)
HITS = [
    hit(1, partners=(RIVER,)),
    hit(2, partners=(RIVER, replace(RIVER, id=f"{2:032x}", distance_m=0.0, bearing=None, line=None))),
    *(hit(rank) for rank in range(3, 7)),
    hit(7, geometry=footprint(179.95, -17, 0.1, 0.1)),
    hit(8, category=None, datetime=None, fractions={}, uri=None, score=None),
]


def score_of(hit: Hit) -> float:
    """The score of a hit that has one."""
    assert hit.score is not None
    return hit.score


TABLES = [suffix for suffix in known_formats() if suffix not in (".html", ".stac.parquet")]
"""What other programs read as a table; the map page and STAC have tests of their own."""


def reopen(path: Path) -> gpd.GeoDataFrame:
    """What a user's tool sees, in order of rank."""
    if path.suffix == ".parquet":
        frame = gpd.read_parquet(path)
    else:
        layer = {"layer": path.stem} if path.suffix == ".gpkg" else {}  # else it warns of the table of styles
        frame = pyogrio.read_dataframe(path, **layer)
        frame = frame.drop(columns="id") if path.suffix == ".kml" else frame  # GDAL's, of KML's own ids
        frame = frame.rename(columns={"validshare": "valid_share", "probab": "probability", "tile": "id"})
    frame = frame[frame.geom_type != "LineString"]  # GeoJSON draws a line to a partner as a feature of its own
    return frame.astype({"rank": int}).sort_values("rank", ignore_index=True) if len(frame) else frame
