"""How a scene is divided into tiles: what a user may say of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ..errors import InputError
from ..imagery.acquisition import parse_datetime
from ..imagery.bands import parse_bands
from ..imagery.scene_options import SceneOptions
from ..imagery.scene_source import SceneSource
from ..imagery.stretch import PERCENTILE, StretchRule


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How a scene is divided into tiles; see `Grid.over` and `SceneOptions`. If there are `sizes`, they count."""

    size: int = 224
    stride: int | None = None
    bands: tuple[int, ...] | None = None
    gsd: float | None = None
    min_valid: float = 0.5
    nodata: float | None = None
    gcps: bool = False
    datetime: dt.datetime | None = None
    stretch: StretchRule = PERCENTILE
    trust_sources: bool = False
    sizes: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, *, bands: Sequence[int] | str | None = None, datetime: dt.datetime | str | None = None,
        stretch: StretchRule | str = PERCENTILE, sizes: Sequence[int] | str = (), **others: Any,
    ) -> Self:  # fmt: skip
        """Make options of values as people write them: "4,3,2", "2021-06-01", "minmax"; `others` are the fields.

        Raises:
            InputError: a text cannot be read.
        """
        numbers = parse_bands(bands) if isinstance(bands, str) else bands
        time = parse_datetime(datetime) if isinstance(datetime, str) else datetime
        rule = StretchRule.parse(stretch) if isinstance(stretch, str) else stretch
        several = _parse_sizes(sizes) if isinstance(sizes, str) else tuple(sizes)
        return cls(
            bands=None if numbers is None else tuple(numbers), datetime=time, stretch=rule, sizes=several, **others
        )

    def each_size(self) -> list[TileOptions]:
        """Divide into options of one size each; a size that is given twice counts once."""
        return [replace(self, size=size, sizes=()) for size in dict.fromkeys(self.sizes or (self.size,))]

    def of_scene(self, source: SceneSource) -> SceneOptions:
        """Say how a scene is read: the user's own time counts before that of what names the scene."""
        time, time_source = self.datetime, "as given"
        if time is None and source.item is not None:
            time, time_source = source.datetime, source.item.name
        return SceneOptions(self.bands, self.nodata, self.gcps, time, time_source, self.stretch, self.trust_sources)


def _parse_sizes(text: str) -> tuple[int, ...]:
    """Read sides of tiles as "224,448".

    Raises:
        InputError: one is no whole number.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"sizes {text!r} are no whole numbers; give one or several, for instance 224,448") from None
