"""The partners of hits: where they are, how far and which way."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from .._types import Float64s, Rows
from ..geometry.distance import distances
from ..geometry.geodesy import bearings, centres, geodesic_line
from ..search.results import Partner
from ..store.snapshot import Snapshot


class Tiles(Protocol):
    """Tiles in rows: of one period, or of two after each other."""

    @property
    def rowids(self) -> NDArray[np.uint64]:
        """`_rowid`s, (n,)."""

    @property
    def ids(self) -> NDArray[np.bytes_]:
        """Ids of 32 bytes, (n,)."""

    @property
    def extents(self) -> Float64s:
        """Unwrapped extents, (n, 4)."""

    def footprints(self, rows: Rows) -> NDArray[np.object_]:
        """Read outlines, (m,), of the tiles in these rows (m,)."""


def make_partners(
    relation: str, hits: Rows, others: Rows, p: Float64s, tiles: Tiles, snapshot: Snapshot
) -> list[Partner]:
    """Make the partners of hits.

    Args:
        relation: in words.
        hits: (n,) rows of the hits.
        others: (n,) rows of their partners.
        p: how probably each tile shows the partner's concept.
        tiles: all of them.
        snapshot: where they are.
    """
    if not len(hits):
        return []
    hit_centres, other_centres = centres(tiles.extents[hits]), centres(tiles.extents[others])
    metres, azimuths = distances(tiles.footprints(hits), tiles.footprints(others)), bearings(other_centres, hit_centres)
    unique, at = np.unique(others, return_inverse=True)
    shapes = shapely.from_wkb(snapshot.take(tiles.rowids[unique], ["geometry"])["geometry"].to_numpy())
    return [
        Partner(
            relation=relation,
            id=tiles.ids[other].decode(),
            score=float(p[other]),
            distance_m=float(metres[n]),
            bearing=None if other == hits[n] else float(azimuths[n]),
            geometry=shapes[at[n]],
            line=None if other == hits[n] else geodesic_line(hit_centres[n], other_centres[n]),
        )
        for n, other in enumerate(others)
    ]
