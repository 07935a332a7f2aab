"""The other end of a relation: for "airport near river", the river beside an airport that was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shapely import LineString, MultiLineString, MultiPolygon, Polygon


@dataclass(frozen=True, slots=True)
class Partner:
    """The tile that makes a relation true of a hit.

    Attributes:
        relation: the relation and the partner's concept, as they were read: "near river".
        id: of the tile; the hit's own where one tile shows both concepts.
        score: how well the tile shows the partner's concept, calibrated, 0..1.
        distance_m: metres on the WGS84 ellipsoid between the two footprints; 0 where they touch or overlap.
        bearing: where the hit lies as seen from the partner, degrees clockwise from true north, 0 <= bearing < 360,
            from centre to centre; None if the two are the same tile.
        geometry: footprint in WGS84, cut at the antimeridian.
        line: the geodesic from the hit's centre to the partner's, WGS84, cut at the antimeridian; None if they are the
            same tile.
    """

    relation: str
    id: str
    score: float
    distance_m: float
    bearing: float | None
    geometry: Polygon | MultiPolygon = field(repr=False)
    line: LineString | MultiLineString | None = field(repr=False)

    def attributes(self) -> dict[str, Any]:
        """What JSON can hold of it, without the geometries: metres to a centimetre, degrees to a tenth."""
        return {
            "relation": self.relation,
            "id": self.id,
            "score": round(self.score, 6),
            "distance_m": round(self.distance_m, 2),
            "bearing": None if self.bearing is None else round(self.bearing, 1) % 360,
        }
