"""A box in degrees: WGS84 longitude and latitude."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import shapely
from pyproj import CRS
from shapely import MultiPolygon, Polygon

from ..errors import InputError

WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True, slots=True)
class BBox:
    """A box in degrees. `west > east` crosses the antimeridian.

    Raises:
        InputError: a number is not finite or out of range, or south > north.
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        values = (self.west, self.south, self.east, self.north)
        text = ",".join(f"{v:g}" for v in values)
        if not all(math.isfinite(v) for v in values):
            raise InputError(f"box {text} is not finite; give west,south,east,north in degrees")
        if not (
            -180 <= self.west <= 180
            and -180 <= self.east <= 180
            and -90 <= self.south <= 90
            and -90 <= self.north <= 90
        ):
            raise InputError(
                f"box {text} leaves longitude -180..180 or latitude -90..90; give west,south,east,north in degrees"
            )
        if self.south > self.north:
            raise InputError(f"box {text} has south > north; the order is west,south,east,north")

    @property
    def note(self) -> str:
        """What a reader of it should know: that it goes most of the way round the Earth; empty otherwise."""
        wide = 360 + self.east - self.west
        if self.west <= self.east or wide <= 180:
            return ""
        return f"the box is {wide:g} degrees wide, across the antimeridian; if that was not meant, swap west and east"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "west,south,east,north", also with blanks between and brackets around, as rio and GDAL write a box."""
        inner = re.fullmatch(r"\s*(?:\[(.*)\]|\((.*)\)|(.*))\s*", text, re.DOTALL)
        plain = next((group for group in inner.groups() if group is not None), text) if inner else text
        try:
            west, south, east, north = (float(v) for v in re.split(r"\s*,\s*|\s+", plain.strip()))
        except ValueError as error:
            raise InputError(
                f"box {text!r} is not four numbers; write west,south,east,north, for instance -79,35,-78,36"
            ) from error
        return cls(west, south, east, north)

    @classmethod
    def around(cls, bounds: Sequence[float], margin: float = 0.0) -> Self:
        """Make the box around west, south, east, north with a margin in degrees, but for what leaves the Earth."""
        west, south, east, north = bounds
        return cls(
            max(west - margin, -180.0), max(south - margin, -90.0), min(east + margin, 180.0), min(north + margin, 90.0)
        )

    def parts(self) -> tuple[BBox, ...]:
        """Split at the antimeridian: the box itself, or its two halves."""
        if self.west <= self.east:
            return (self,)
        return BBox(self.west, self.south, 180.0, self.north), BBox(-180.0, self.south, self.east, self.north)

    def to_shapely(self) -> Polygon | MultiPolygon:
        """Convert to a polygon, or to two at the antimeridian."""
        boxes = [shapely.box(b.west, b.south, b.east, b.north) for b in self.parts()]
        return boxes[0] if len(boxes) == 1 else MultiPolygon(boxes)
