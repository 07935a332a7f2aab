"""A GeoJSON feed: one feature collection in which new hits stand before those of earlier looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._files import naming_write_errors, write_atomically
from ..errors import InputError
from ..imagery.times import now_text

FEED_SUFFIXES = (".geojson", ".json")
MAX_FEATURES = 10_000
"""Features of a feed; the oldest are dropped beyond."""


def extend_feed(path: Path, news: Path, title: str) -> None:
    """Put the features of a GeoJSON file before those of a feed, each with the time at which it was found.

    A feature that the feed has already is left where it is: a look that was cut off is made again.

    Args:
        path: of the feed, which may not be there yet.
        news: GeoJSON; where it is not there, nothing is new.
        title: of the feed.

    Raises:
        InputError: the feed is something else, or cannot be written.
    """
    old = _features(path) if path.exists() else []
    known = {feature.get("id") for feature in old}
    now = now_text()
    new = [feature for feature in (_features(news) if news.exists() else []) if feature.get("id") not in known]
    for feature in new:
        feature["properties"]["found"] = now
    feed = {"type": "FeatureCollection", "title": title, "updated": now, "features": [*new, *old][:MAX_FEATURES]}
    with naming_write_errors(path):
        write_atomically(path, json.dumps(feed, ensure_ascii=False) + "\n")


def _features(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_text("utf-8"))
        features = document["features"]
        if not isinstance(features, list) or not all(isinstance(one["properties"], dict) for one in features):
            raise ValueError("no features")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{path} is there and is no GeoJSON feed ({str(error)[:60]}); write to another file"
        ) from error
    return features
