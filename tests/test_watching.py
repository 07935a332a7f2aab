"""Watching: each scene is looked at once, when it is whole; what a look finds is what a search of its tiles finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from taught import DIM, INFO, THING, scene_row

from geocmer.collection import Collection
from geocmer.errors import InputError, StoreError
from geocmer.models.encoder import Encoder
from geocmer.search.saved_search import KIND
from geocmer.store.filter import Filter
from geocmer.store.mmap_cache import build_cache
from geocmer.store.mmap_source import MmapSource
from geocmer.store.records import write_record
from geocmer.store.store import Store, TileRow


class Things:
    """Embeds every text as what the tiles of a scene may show."""

    fingerprint, dim, folder, scale = INFO.fingerprint, DIM, None, 10.0

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        unit: NDArray[np.float32] = np.tile(THING / np.linalg.norm(THING), (len(texts), 1)).astype(np.float32)
        return unit


def _add(store: Store, number: int, *, whole: bool = True) -> list[str]:
    """Add a scene of 12 tiles, the first of which show the thing; return their ids, those that show it first."""
    scene = f"{number:032x}"
    rng = np.random.default_rng(number)
    vectors = rng.standard_normal((12, DIM))
    vectors[:4] += 2 * THING
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{100 * number + n:032x}" for n in range(12)]
    rows = [
        TileRow(name, scene, 0, 64 * n, 64, shapely.box(number, n * 0.01, number + 0.01, (n + 1) * 0.01), 10, 1)
        for n, name in enumerate(ids)
    ]
    store.add_tiles(rows, vectors)
    if whole:
        store.add_scene(scene_row(scene, "EPSG:4326", Affine(0.01 / 64, 0, number, 0, -0.01 / 64, 1), 64, 64, 1))
    return ids


@pytest.fixture
def watched(tmp_path: Path) -> tuple[Store, Collection]:
    store = Store.create(tmp_path / "store")
    store.add_encoder(INFO)
    _add(store, 1)
    collection = Collection(tmp_path / "store", encoder=cast("Encoder", Things()))
    collection.save_search("my things", "thing", k=3, min_score=0.3, keep="all", since=None)
    return store, collection


def test_each_scene_is_news_once_it_is_whole(watched: tuple[Store, Collection]) -> None:
    store, collection = watched
    assert len(collection.look("my things")) == 0
    _add(store, 2, whole=False)
    assert collection.look("my things").hits is None, "it is still being tiled"
    second, third = _add(store, 2), _add(store, 3)
    for _ in range(2):  # until it is marked as seen, a look can be made again
        look = collection.look("my things")
        assert look.scenes == {f"{n:032x}" for n in (2, 3)}
        assert look.hits is not None
        found = [hit.id for hit in look.hits]
        everything = [hit.id for hit in collection.search("thing", k=None, min_score=0.3, keep="all")]
        assert found == [name for name in everything if name in {*second, *third}][:3]
    collection.mark_seen(look)
    assert collection.look("my things").hits is None
    store.remove_scene(f"{3:032x}")
    _add(store, 3)
    assert collection.look("my things").hits is None, "what is tiled again is not new"
    assert [saved.name for saved in collection.saved_searches()] == ["my things"]
    collection.remove_search(" my  things")  # the name as people write it
    with pytest.raises(StoreError, match="no saved search 'my things'"):
        collection.look("my things")


def test_the_cache_and_the_tables_agree_on_the_tiles_of_scenes(watched: tuple[Store, Collection]) -> None:
    store, _ = watched
    ids = [*_add(store, 2), *_add(store, 3)]
    cache = build_cache(store.snapshot())
    assert cache is not None
    (batch,) = MmapSource(cache).batches(Filter(scenes=frozenset({f"{2:032x}", f"{3:032x}", "none"})))
    assert sorted(name.decode() for name in batch.ids()) == sorted(ids)


def test_a_feed_keeps_what_was_found_before(watched: tuple[Store, Collection], tmp_path: Path) -> None:
    store, collection = watched
    feed = tmp_path / "feed.geojson"
    collection.write_feed(collection.look("my things"), feed)
    assert json.loads(feed.read_text())["features"] == []
    second = _add(store, 2)
    look = collection.look("my things")
    collection.write_feed(look, feed)
    collection.write_feed(look, feed)  # a look that was cut off, made again
    collection.mark_seen(look)
    third = _add(store, 3)
    collection.write_feed(collection.look("my things"), feed)
    features = json.loads(feed.read_text())["features"]
    assert [feature["id"] in third for feature in features] == [True] * 3 + [False] * 3
    assert [feature["id"] in second for feature in features] == [False] * 3 + [True] * 3
    assert all(feature["properties"]["found"].endswith("Z") for feature in features)
    for text in ("no feed", "[]", '{"features": 1}', '{"features": [1]}'):
        feed.write_text(text)
        with pytest.raises(InputError, match="no GeoJSON feed"):
            collection.write_feed(look, feed)
        assert feed.read_text() == text


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"filter": "x"}}, {"arguments": {"k": "10"}}, {"arguments": {"like": [1]}}, {"arguments": []},
        {"seen": "all"}, {"seen": [1]}, {"texts": "lake"}, {"format": "geocmer-search-2"}, {"more": 1}, {"name": None},
    ],
)  # fmt: skip
def test_a_record_that_was_tampered_with_is_refused(watched: tuple[Store, Collection], change: dict[str, Any]) -> None:
    store, collection = watched
    good = json.loads(collection.saved_searches()[0].to_json())
    write_record(store.path, KIND, "my things", json.dumps({**good, **change}))
    with pytest.raises(StoreError, match="watch 'my things' --remove"):
        collection.look("my things")


def test_one_example_is_kept_as_one(watched: tuple[Store, Collection], tmp_path: Path) -> None:
    _, collection = watched
    (tmp_path / "like.png").touch()
    for like in (str(tmp_path / "like.png"), tmp_path / "like.png", [tmp_path / "like.png"]):
        kept = collection.save_search("alike", like=like)
        assert kept.arguments["like"] == [str(tmp_path / "like.png")]


def test_what_cannot_be_kept_is_refused(watched: tuple[Store, Collection]) -> None:
    _, collection = watched
    with pytest.raises(InputError, match="needs a region"):
        collection.save_search("near", "thing", within="5km")
    with pytest.raises(InputError, match="cannot name"):
        collection.save_search("a/b", "thing")
    with pytest.raises(InputError, match="cannot be kept"):
        collection.save_search("a", "thing", min_score="high")
