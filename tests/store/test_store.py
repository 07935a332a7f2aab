from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import DIM, ENCODER, NASTY, OTHER, contents, filled, footprint, scene, tile, unit

from geocmer.errors import FingerprintError, StoreError
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import maintenance, schema
from geocmer.store.store import Store
from geocmer.store.vectors import to_numpy, vector_array

# -- rows -------------------------------------------------------------------------------------------------------------


def test_adding_again_adds_nothing(tmp_path: Path) -> None:
    rows, vectors = [tile(n) for n in range(10)], unit(10)
    store = filled(tmp_path / "store", rows, vectors)
    before = contents(store)
    assert store.add_tiles(rows, unit(10, seed=1)) == 0
    assert store.add_tiles([*rows[5:], tile(10), tile(10, west=5)], unit(7)) == 1, "of two with one id the first counts"
    assert contents(store)[:10] == before
    assert contents(store)[10]["xmin"] == 0
    assert store.add_tiles([]) == 0


def test_known(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(5)], None)
    ids = [tile(n).id for n in range(3, 8)]
    assert store.existing_ids([*ids, "x' OR '1'='1", ""]) == set(ids[:2])
    assert store.existing_ids([]) == set()


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_come_back_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(NASTY)
    when = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    rows = [
        tile(
            n,
            west=data.draw(st.floats(-180, 179.95)),
            datetime=data.draw(when),
            category=data.draw(st.none() | text),
            fractions=data.draw(st.none() | st.dictionaries(text, st.floats(0, 1), max_size=3)),
            captions=data.draw(st.none() | st.lists(text, max_size=3)),
            thumbnail=data.draw(st.none() | st.binary(max_size=20)),
        )
        for n in range(3)
    ]
    store = filled(tmp_path_factory.mktemp("rows") / "store", rows, None)
    for row, record in zip(rows, contents(store), strict=True):
        assert shapely.from_wkb(record["geometry"]).equals(row.geometry)
        assert {n: record[n] for n in ("id", "category", "thumbnail", "datetime")} == {
            n: getattr(row, n) for n in ("id", "category", "thumbnail", "datetime")
        }
        assert record["captions"] == (None if row.captions is None else list(row.captions))
        shares = None if row.fractions is None else dict(zip(record["labels"], record["fractions"], strict=True))
        assert shares == row.fractions
        assert 0 < record["xmax"] - record["xmin"] <= 0.11, "the extent of a small tile is small, everywhere"
    for category in {row.category for row in rows if row.category is not None}:
        assert store.categories()[category] == sum(row.category == category for row in rows)


def test_extents_are_unwrapped() -> None:
    crossing = footprint(179.95, 10, 0.1, 0.1)
    assert crossing.geom_type == "MultiPolygon"
    two_islands = shapely.MultiPolygon([shapely.box(1, 1, 2, 2), shapely.box(5, 1, 6, 2)])
    found = schema.extents(np.array([crossing, shapely.box(1, 2, 3, 4), two_islands], dtype=object))
    assert found == pytest.approx(np.array([[179.95, 10, 180.05, 10.1], [1, 2, 3, 4], [1, 1, 6, 2]]))


def test_times_are_kept_as_moments(tmp_path: Path) -> None:
    moment = datetime(2020, 1, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    store = filled(tmp_path / "store", [tile(1, datetime=moment)], None)
    assert contents(store)[0]["datetime"] == moment
    with pytest.raises(ValueError, match="time zone"):
        store.add_tiles([tile(2, datetime=datetime(2020, 1, 1))])  # noqa: DTZ001


def test_scenes(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    rows = [scene(n) for n in range(3)]
    for row in reversed(rows):
        store.add_scene(row)
    store.add_scene(scene(1, uri="moved'.tif"))
    assert store.scene(scene(9).id) is None
    assert store.scenes() == [rows[0], scene(1, uri="moved'.tif"), rows[2]]
    assert store.scene(rows[2].id) == rows[2]


def test_categories_can_be_set_later(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n, category="old") for n in range(4)], unit(4))
    before = contents(store)
    ids = [tile(1).id, tile(2).id, "not there"]
    store.set_categories(ids, [NASTY[1], None, "c"], [{"a": 0.75}, None, {}], [["one"], None, []])
    after = contents(store)
    assert [r["category"] for r in after] == ["old", NASTY[1], None, "old"]
    assert (after[1]["labels"], after[1]["fractions"], after[1]["captions"]) == (["a"], [0.75], ["one"])
    assert [r[ENCODER.column] for r in after] == [r[ENCODER.column] for r in before], "the rest stays"
    assert store.categories() == {"old": 2, NASTY[1]: 1}


# -- vectors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vectors",
    [unit(2, DIM + 1), unit(2)[0], unit(2) * 1.1, np.full((2, DIM), np.nan), np.zeros((2, DIM)), unit(2) * np.inf],
)
def test_vectors_that_are_not_unit_vectors_are_a_bug(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vectors"):
        vector_array(vectors, ENCODER)


def test_halves_is_the_inverse_with_nulls_and_slices() -> None:
    vectors = unit(6).astype(np.float16)
    column = vector_array(vectors, ENCODER)
    some = column.take(pa.array([0, None, 2, 3, None, 5]))
    for start, length in ((0, 6), (1, 4), (4, 2), (0, 0)):
        values, embedded = to_numpy(some.slice(start, length))
        rows = np.arange(start, start + length)
        assert embedded.tolist() == [row not in (1, 4) for row in rows]
        assert (values[embedded] == vectors[rows[embedded]]).all()
    assert to_numpy(pa.nulls(3, column.type))[1].tolist() == [False] * 3


def test_another_encoder_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    with pytest.raises(StoreError, match="geocmer embed --store"):
        store.require_encoder(ENCODER.fingerprint)
    store.add_encoder(ENCODER)
    store.require_encoder(ENCODER.fingerprint)
    assert Store.open(tmp_path / "store").encoder == ENCODER
    with pytest.raises(FingerprintError, match=r"fake \(abab.*cdcd.*`geocmer embed --model MODEL --store .*store`"):
        store.require_encoder(OTHER.fingerprint)


def test_tiles_can_be_embedded_later(tmp_path: Path) -> None:
    rows, vectors = [tile(n) for n in range(10)], unit(10)
    store = filled(tmp_path / "store", rows, None)
    assert store.encoder is None
    assert store.reembed(ENCODER, lambda keys: vectors[[key.row for key in keys]]) == 10
    assert store.reembed(ENCODER, lambda keys: pytest.fail("nothing is missing")) == 0
    assert contents(store) == contents(filled(tmp_path / "at once", rows, vectors))


def _reembed(store: Store, batches: int | None = None) -> int:
    """Re-embed to OTHER, four tiles at a time, and be interrupted before batch number `batches`."""
    store.add_encoder(OTHER)
    made = 0
    for number, keys in enumerate(store.iter_unembedded(OTHER, batch=4)):
        if number == batches:
            raise KeyboardInterrupt
        store.set_vectors(OTHER, [key.id for key in keys], unit(100, OTHER.dim)[[key.row for key in keys]])
        made += len(keys)
    store.activate_encoder(OTHER)
    return made


def test_old_vectors_answer_until_the_new_ones_are_complete(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(10)], unit(10))
    old = [hit.id for hit in nearest_tiles(store, unit(10)[3])]
    reader = nearest_tiles(store, unit(10)[3])
    for batches in range(2):
        with pytest.raises(KeyboardInterrupt):
            _reembed(store, batches)
        assert (store.encoder, store.pending_encoder) == (ENCODER, OTHER)
        assert [hit.id for hit in nearest_tiles(Store.open(store.path), unit(10)[3])] == old
        with pytest.raises(StoreError, match=r"tiles of .* have no vector of fake-2 .* the old ones still answer"):
            store.activate_encoder(OTHER)
    assert _reembed(store) == 6, "what was made before the interrupt is not made again"
    assert (store.encoder, store.pending_encoder) == (OTHER, None)
    assert [hit.id for hit in nearest_tiles(store, unit(100, OTHER.dim)[7], k=1)] == [tile(7).id]
    assert ENCODER.column not in store.snapshot().dataset.schema.names
    assert [hit.id for hit in reader] == old, "who began to read before goes on with the old"


def test_an_abandoned_reembedding_is_cleared(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(10)], unit(10))
    with pytest.raises(KeyboardInterrupt):
        _reembed(store, 1)
    third = type(OTHER)("ef" * 16, "fake-3", "", 4)
    store.reembed(third, lambda keys: unit(len(keys), 4))
    names = [name for name in store.snapshot().dataset.schema.names if name.startswith("vector_")]
    assert names == [third.column]


def test_tiles_added_during_a_reembedding_are_included(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(6)], unit(6))
    with pytest.raises(KeyboardInterrupt):
        _reembed(store, 1)
    store.add_tiles([tile(n) for n in range(6, 9)], unit(3))
    _reembed(store)
    assert nearest_tiles(store, unit(1, OTHER.dim)[0]).plan.matched == 9


# -- upkeep -----------------------------------------------------------------------------------------------------------


def test_upkeep_merges_fragments_and_changes_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocmer.store.reader.INDEX_MIN_ROWS", 50)
    store = Store.create(tmp_path / "store")
    store.add_encoder(ENCODER)
    for n in range(60):
        store.add_tiles([tile(n, west=n / 10)], unit(60)[n : n + 1])
    before, reader = contents(store), nearest_tiles(store, unit(1)[0], k=None)
    store.upkeep()
    assert len(store.snapshot().dataset.get_fragments()) <= maintenance.LEVELS[0][2]
    assert sorted(index.field_names[0] for index in store._newest("tiles").describe_indices()) == ["xmin", "ymin"]
    assert contents(store) == before
    assert len(list(reader)) == 60, "a reader in the version before goes on"
    version = store.snapshot().version
    store.upkeep()
    assert store.snapshot().version == version, "nothing to do, nothing written"


def test_failing_writes_are_told_in_one_line(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(1)], None)
    shutil.rmtree(tmp_path / "store" / "tiles.lance")
    (tmp_path / "store" / "tiles.lance").write_text("a file where a folder was")
    with pytest.raises(StoreError, match=r"store.*; check the disk") as refusal:
        store.add_tiles([tile(2)])
    assert "\n" not in str(refusal.value)
