"""Versions: which are kept, and which moment each answers for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import ENCODER, OTHER, contents, scene, tile, unit

from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import lance, mmap_cache, versions
from geocmer.store.scene_row import SceneRow
from geocmer.store.store import Store
from geocmer.store.vectors import EncoderInfo
from geocmer.store.versions import GRACE, MAX_VERSIONS, RETENTION, Version

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _newest(there: list[Version], moment: datetime) -> Version | None:
    return max((v for v in there if v.time <= moment), key=lambda v: v.number, default=None)


@given(
    gaps=st.lists(st.sampled_from([1, 5, 60, 599, 600, 601, 4000, 86_400, 20 * 86_400]), min_size=1, max_size=40),
    looks=st.lists(st.integers(0, 40), max_size=4),
)
def test_what_stayed_the_newest_for_a_while_can_be_read_back(gaps: list[int], looks: list[int]) -> None:
    times = [START]
    for gap in gaps:
        times.append(times[-1] + gap * SECOND)
    every = [Version(n, time, 0, 0) for n, time in enumerate(times, 1)]
    there: list[Version] = []
    for version in every:
        there.append(version)
        if version.number in {*looks, len(every)}:  # clearing often or once comes to the same
            gone = versions.superseded(there, version.time)
            there = [v for v in there if v.number not in gone]
    now = every[-1].time
    assert there[-1] == every[-1]
    for version, following in pairwise(every):
        recent, old = now - following.time <= GRACE, now - following.time > RETENTION
        step = following.time - version.time < GRACE
        assert (version in there) == (recent or not (old or step))
        if not old and not step:
            for moment in (version.time, following.time - SECOND):
                assert _newest(there, moment) == version == versions.find_version(there, moment, "")


def test_no_more_than_so_many_versions_are_kept() -> None:
    there = [Version(n, START + n * GRACE * 2, 0, 0) for n in range(1, MAX_VERSIONS + 50)]
    gone = versions.superseded(there, there[-1].time + GRACE * 2)
    assert gone == [v.number for v in there[: len(there) - 1 - MAX_VERSIONS]]


def test_a_version_is_found_by_number_and_by_moment() -> None:
    there = [Version(n, START + n * timedelta(hours=1), 0, 0) for n in (2, 3, 7)]
    assert versions.find_version(there, 3, "").number == 3
    assert versions.find_version(there, there[1].time, "").number == 3
    assert versions.find_version(there, there[1].time - SECOND, "").number == 2
    assert versions.find_version(there, START + timedelta(days=99), "").number == 7
    for asked in (1, 4, 8, START):
        with pytest.raises(StoreError, match=r"'s.*the oldest is 2 of 2026-01-01T02:00:00Z, the newest 7 of.*info"):
            versions.find_version(there, asked, "it's")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("2026-01-31", datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC)),
        ("2026-01-31T18:00", datetime(2026, 1, 31, 18, tzinfo=UTC)),
        ("2026-01-31 18:00:05Z", datetime(2026, 1, 31, 18, 0, 5, tzinfo=UTC)),
        ("2026-01-31T18:00+09:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
    ],
)
def test_moments_are_read_as_utc(text: str, expected: int | datetime) -> None:
    assert versions.parse_version(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "yesterday", "2026-13-01", "31.01.2026", "v3", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="neither the number of a version nor a date"):
        versions.parse_version(text)


def test_times_are_utc_wherever_the_machine_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = datetime.now(UTC)
    store = Store.create(tmp_path / "store")
    store.add_tiles([tile(1)])
    for zone in ("Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        found = versions.list_versions(store._dataset("tiles"))
        assert [(v.number, v.rows) for v in found] == [(1, 0), (2, 1)]
        assert before - SECOND <= found[0].time <= found[1].time <= datetime.now(UTC) + SECOND
    monkeypatch.undo()
    time.tzset()


# -- reading an earlier version ---------------------------------------------------------------------------------------


Past = tuple[Version, datetime, list[dict[str, Any]], list[SceneRow], EncoderInfo | None]


def _lived(path: Path) -> tuple[Store, list[Past]]:
    """A store with a past, and what it held after every step: version, moment, tiles, scenes, encoder."""
    store = Store.create(path)
    steps: list[Callable[[], object]] = [
        lambda: store.add_encoder(ENCODER),
        lambda: store.add_tiles([tile(n) for n in range(4)], unit(4)),
        lambda: store.add_scene(scene(1)),
        lambda: store.add_tiles([tile(n) for n in range(4, 9)], unit(9)[4:]),
        lambda: store.add_scene(scene(2)),
        lambda: store.set_categories([tile(0).id], ["lake"], [None], [None]),
        lambda: store.reembed(OTHER, lambda keys: unit(9, OTHER.dim)[[key.row for key in keys]]),
    ]
    past = []
    for step in steps:
        step()
        past.append(
            (store.versions()[-1], datetime.now(UTC), contents(store), store.scenes(), store.encoder),
        )
        time.sleep(0.002)
    return store, past


def test_a_store_can_be_read_as_it_was(tmp_path: Path) -> None:
    store, past = _lived(tmp_path / "store")
    for version, moment, tiles, scenes, encoder in past:
        then = Store.open(store.path, moment)
        assert then.as_of == version
        assert (contents(then), then.scenes(), then.encoder) == (tiles, scenes, encoder)
        assert then.snapshot().uris == {row.id: row.uri for row in scenes}
        assert then.count() == len(tiles) == version.rows
    last = {version.number: (tiles, scenes) for version, _, tiles, scenes, _ in past}
    for number, (tiles, scenes) in last.items():  # by number: with the scenes that were added before the next version
        then = Store.open(store.path, number)
        assert (contents(then), then.scenes()) == (tiles, scenes)
    with pytest.raises(StoreError, match="the oldest is 1 of"):
        Store.open(store.path, past[0][1] - timedelta(days=1))


def test_scenes_are_those_of_the_version_though_later_ones_were_cleared() -> None:
    there = [Version(1, START, 0, 0), Version(9, START + timedelta(days=3), 0, 0)]
    assert versions.last_moment(there, 1) == START + GRACE
    assert versions.last_moment(there, 9) > START + timedelta(days=9999)


def test_what_is_read_as_of_a_version_cannot_be_written(tmp_path: Path) -> None:
    store, past = _lived(tmp_path / "store")
    before, counts = contents(store), [len(versions.list_versions(t)) for t in map(store._dataset, lance.TABLES)]
    then = Store.open(store.path, past[1][0].number)
    for write in (
        lambda: then.add_tiles([tile(50)], unit(1)),
        lambda: then.add_scene(scene(3)),
        lambda: then.set_categories([tile(1).id], ["x"], [None], [None]),
        lambda: then.add_encoder(OTHER),
        lambda: then.set_vectors(ENCODER, [tile(1).id], unit(1)),
        lambda: then.activate_encoder(OTHER),
        lambda: then.reembed(OTHER, lambda keys: unit(len(keys), OTHER.dim)),
        then.upkeep,
    ):
        with pytest.raises(StoreError, match=r"as of version .* to write to it"):
            write()
    assert contents(store) == before
    assert counts == [len(versions.list_versions(t)) for t in map(store._dataset, lance.TABLES)]


def test_the_encoder_of_that_time_answers(tmp_path: Path) -> None:
    store, past = _lived(tmp_path / "store")
    then = Store.open(store.path, past[4][1])
    then.require_encoder(ENCODER.fingerprint)
    with pytest.raises(FingerprintError):
        then.require_encoder(OTHER.fingerprint)
    with pytest.raises(FingerprintError):
        store.require_encoder(ENCODER.fingerprint)
    assert [hit.id for hit in nearest_tiles(then, unit(9)[6], k=1, fingerprint=ENCODER.fingerprint)] == [tile(6).id]


def test_the_memory_mapped_cache_of_the_newest_version_is_neither_used_nor_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geocmer.store.mmap_cache.CACHE_MIN_ROWS", 1)
    store, past = _lived(tmp_path / "store")
    copy = mmap_cache.build_cache(store.snapshot())
    assert copy is not None
    for version, _, tiles, _, encoder in past[1:]:
        then = Store.open(store.path, version.number)
        assert encoder is not None
        query = unit(1, encoder.dim, seed=7)[0]
        found = nearest_tiles(then, query, k=None)
        scores = {row["id"]: float(np.dot(np.float64(row[encoder.column]), query)) for row in tiles}
        assert [hit.id for hit in found] == sorted(scores, key=lambda name: (-scores[name], name))
        assert (found.plan.method == "memory-mapped cache") == (version == past[-1][0])
    assert [folder.name for folder in (tmp_path / "store" / "cache").iterdir()] == [copy.folder.name]


def test_a_version_that_vanishes_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, past = _lived(tmp_path / "store")
    there, number = store.versions(), past[1][0].number
    store._dataset("tiles").cleanup_old_versions(versions=[number])
    with pytest.raises(StoreError, match=f"no version {number} that can be read"):
        Store.open(store.path, number)
    monkeypatch.setattr(Store, "versions", lambda _: there)
    with pytest.raises(StoreError, match="was cleared just now"):
        Store.open(store.path, number)
