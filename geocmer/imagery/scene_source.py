"""A scene that is to be tiled, and what the list that names it says of it."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field

from .address import SceneAddress


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """What a STAC item or a row of a table says of a scene.

    Attributes:
        name: of the item, and its collection if it has one; or the table's file.
        cloud_cover: percent of the scene under clouds, if it is said.
    """

    name: str
    cloud_cover: float | None = None

    @property
    def note(self) -> str:
        """Say what is known of the clouds."""
        return "" if self.cloud_cover is None else f"{self.cloud_cover:g} % under clouds, from {self.name}"


@dataclass(frozen=True, slots=True)
class SceneSource:
    """A scene by its address.

    Attributes:
        address: of the raster.
        item: what names it, if that says more than the address.
        datetime: when it was taken, as that says, UTC.
    """

    address: SceneAddress
    item: ItemRecord | None = field(default=None, compare=False)
    datetime: dt.datetime | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return str(self.address)


def cloud_percent(value: object) -> float | None:
    """Read a cloud cover in percent; None where it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 100:
        return float(value)
    return None
