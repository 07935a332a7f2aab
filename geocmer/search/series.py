"""How probably one place shows something at each time it was seen."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..geometry.bbox import BBox
from ..geometry.geodesy import centres
from ..store.filter import Filter
from ..store.scan import matches
from ..store.schema import EXTENT
from ..store.snapshot import Snapshot
from ..store.vectors import to_numpy
from .probability import ProbabilityModel

POINT_MARGIN = 1e-9
"""Degrees around a point in which a footprint may begin: a tenth of a millimetre."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One picture of a place.

    Attributes:
        datetime: when it was taken, UTC.
        probability: how probably it shows what was asked for, 0..1.
        id: of the tile.
        scene: where the scene of the tile was read; None while it is still being tiled.
        gsd: metres.
        valid_share: usable pixels / all pixels of the tile, 0..1.
    """

    datetime: dt.datetime
    probability: float
    id: str
    scene: str | None
    gsd: float
    valid_share: float


@dataclass(frozen=True, slots=True)
class Observations:
    """All pictures of a place, the earliest first.

    Attributes:
        observations: one for each picture.
        undated: tiles of the place that have no date, and are left out.
        unembedded: tiles of the place that have no vector yet, and are left out.
    """

    observations: tuple[Observation, ...]
    undated: int
    unembedded: int


def read_point(text: str) -> tuple[float, float]:
    """Read a place as "longitude,latitude" in degrees, WGS84.

    Raises:
        InputError: it is none.
    """
    parts = re.split(r"\s*,\s*|\s+", text.strip().strip("()[]").strip())
    try:
        lon, lat = map(float, parts)
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):  # also refuses NaN
            raise ValueError
    except ValueError:
        raise InputError(
            f"{text!r} is no place; write longitude,latitude in degrees, for instance -78.6,35.8"
        ) from None
    return lon, lat


def series_at(snapshot: Snapshot, place: tuple[float, float], probability_model: ProbabilityModel) -> Observations:
    """Read how probably a place shows something, at each time.

    Of the tiles of a picture that hold the place, the one counts in which it lies most centrally: whose centre is
    nearest, then the one with the first id. Of a picture that was divided into tiles of several sizes it is the size
    nearest to that of the other pictures, as what covers more ground shows more.

    Args:
        snapshot: of a store with vectors.
        place: longitude and latitude, WGS84.
        probability_model: of what was asked for.

    Raises:
        StoreError: the store has no vectors yet.
    """
    column = snapshot.require_encoder().column
    lon, lat = place
    around = Filter(BBox.around((lon, lat, lon, lat), POINT_MARGIN))  # a box, as a point has no area
    nearest: dict[str, tuple[float, str, Observation]] = {}
    sides: dict[str, float] = {}
    undated = unembedded = 0
    names = ("id", "scene_id", "datetime", "gsd", "size", "valid_share", *EXTENT, column)
    for _, batch in matches(snapshot, around, names):
        vectors, embedded = to_numpy(batch[column])
        p = probability_model.of_vectors(np.where(embedded[:, None], vectors, np.float16(0)))
        records = batch.drop_columns([column]).to_pylist()
        for record, has_vector, probability in zip(records, embedded.tolist(), p.tolist(), strict=True):
            if record["datetime"] is None:
                undated += 1
            elif not has_vector:
                unembedded += 1
            else:
                scene = record["scene_id"]
                observation = Observation(
                    record["datetime"], probability, record["id"], snapshot.uris.get(scene), record["gsd"],
                    record["valid_share"],
                )  # fmt: skip
                key = _distance([record[name] for name in EXTENT], lon, lat), record["id"], observation
                nearest[scene] = min(nearest.get(scene, key), key, key=lambda one: one[:2])
                sides[scene] = record["gsd"] * record["size"]
    images: dict[str, dict[float, Observation]] = {}
    for scene, (*_, observation) in sorted(nearest.items()):
        images.setdefault(observation.scene or scene, {})[round(math.log(sides[scene]), 2)] = observation
    observations = sorted(_of_one_size(images.values()), key=lambda one: (one.datetime, one.id))
    return Observations(tuple(observations), undated, unembedded)


def _of_one_size(images: Collection[dict[float, Observation]]) -> list[Observation]:
    """Take one observation of each picture, by the side of its tile, so that the sides differ least.

    Of equal ones it is that of the smallest side.

    Args:
        images: logarithm of the side in metres, to a hundredth -> the observation, for each picture.
    """

    def misfit(side: float) -> float:
        return round(sum(min(abs(other - side) for other in image) for image in images), 2)

    common = min(sorted({side for image in images for side in image}), key=misfit, default=0.0)
    return [image[min(sorted(image), key=lambda side: abs(side - common))] for image in images]


def _distance(extent: Sequence[float], lon: float, lat: float) -> float:
    """Compute how far a place lies from the centre of a tile, by its unwrapped extent: degrees of latitude."""
    ((middle_lon, middle_lat),) = centres(np.array([extent]))
    across = (lon - middle_lon + 180) % 360 - 180
    return float(np.hypot(across * np.cos(np.radians(lat)), lat - middle_lat))
