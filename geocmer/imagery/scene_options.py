"""How a scene is read, where its file does not say it, or says it wrongly."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from .stretch import PERCENTILE, StretchRule


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """How a scene is read, where the file does not say it, or says it wrongly.

    Attributes:
        bands: red, green and blue, counted from 1.
        nodata: a value that means no data, in every band, besides the file's own.
        gcps: place the scene by its ground control points, if it has no geotransform.
        datetime: when it was taken, UTC.
        datetime_source: who says so.
        stretch: how its contrast is stretched.
        trust_sources: let a remote VRT read files of this computer and of other servers.
    """

    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    gcps: bool = False
    datetime: dt.datetime | None = None
    datetime_source: str = "what was given"
    stretch: StretchRule = PERCENTILE
    trust_sources: bool = False
