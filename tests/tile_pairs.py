"""A world of tiles for the join, and what each of them is to each other, by shapely and pyproj."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from pyproj import Geod, Transformer
from synthetic import footprint

from geocmer.geometry.distance import distances
from geocmer.geometry.geodesy import Caps, min_distances
from geocmer.store.schema import extents

GEOD = Geod(ellps="WGS84")


def _world() -> np.ndarray:
    """Two grids across the antimeridian, of one ground in two sizes; a ring of tiles around the pole with one upon it;
    turned tiles, a wide one."""
    rng = np.random.default_rng(5)
    shapes = [footprint(179.9 + x / 50, 60 + y / 100, 0.02, 0.01) for x in range(10) for y in range(10)]
    shapes += [footprint(179.9 + x / 50, 60 + y / 100, 0.04, 0.02) for x in (0, 2, 4, 7) for y in (0, 2, 4)]
    shapes += [footprint(10 + x, 45 + y, 0.02, 0.015, turn) for x, y, turn in rng.uniform(0, [0.2, 0.2, 90], (80, 3))]
    shapes += [shapely.box(lon, 89.9, lon + 30, 89.95) for lon in range(-180, 180, 30)]
    shapes += [shapely.box(-180, 89.96, 180, 90), footprint(9, 44.9, 1.15, 0.2), footprint(10.3, 45.1, 0.02, 0.015)]
    return np.array(shapes, dtype=object)


WORLD = _world()
EXTENTS = extents(WORLD)
CAPS = Caps.around(EXTENTS)
N = len(WORLD)
ONE, TWO = (grid.ravel() for grid in np.meshgrid(range(N), range(N), indexing="ij"))


@dataclass(frozen=True)
class Pairs:
    """What each tile of the world is to each other, (N, N).

    Attributes:
        metres: between footprints.
        gaps: the least that their circles may be apart, metres.
        azimuth: from the second to the first, degrees.
        separate: the centres differ.
        shared: ground that both show, in a projection that keeps areas.
        smaller: ground of the smaller of the two.
        larger: of the larger.
    """

    metres: np.ndarray
    gaps: np.ndarray
    azimuth: np.ndarray
    separate: np.ndarray
    shared: np.ndarray
    smaller: np.ndarray
    larger: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """The share of the smaller of two tiles that lies in the other."""
        share: np.ndarray = self.shared / self.smaller
        return share

    @property
    def ratio(self) -> np.ndarray:
        ratio: np.ndarray = self.larger / self.smaller
        return ratio

    @property
    def nested(self) -> np.ndarray:
        """For two of one size an intersection over union of 0.3."""
        nested: np.ndarray = self.inside >= 0.6 / 1.3
        return nested


@cache
def pairs() -> Pairs:
    one, two = CAPS.lonlat[ONE], CAPS.lonlat[TWO]
    apart = np.linalg.norm(CAPS.xyz[ONE] - CAPS.xyz[TWO], axis=1)
    even = shapely.transform(
        WORLD, lambda xy: np.column_stack(Transformer.from_crs(4326, 6933, always_xy=True).transform(*xy.T))
    )
    areas = np.sort([shapely.area(even)[ONE], shapely.area(even)[TWO]], axis=0)
    values = (
        distances(WORLD[ONE], WORLD[TWO]),
        min_distances(apart, CAPS.radii[ONE] + CAPS.radii[TWO]),
        np.array(GEOD.inv(*two.T, *one.T)[0]) % 360,
        (one != two).any(axis=1),
        shapely.area(shapely.intersection(even[ONE], even[TWO])),
        *areas,
    )
    return Pairs(*(value.reshape(N, N) for value in values))
