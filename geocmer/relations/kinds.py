"""What may hold between two places: the kinds of relations, in one table."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What may hold between two places."""

    NEAR = "near"
    NEXT = "next to"
    WITHIN = "within"
    IN = "in"
    NORTH = "north of"
    NORTHEAST = "northeast of"
    EAST = "east of"
    SOUTHEAST = "southeast of"
    SOUTH = "south of"
    SOUTHWEST = "southwest of"
    WEST = "west of"
    NORTHWEST = "northwest of"
