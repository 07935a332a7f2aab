"""Concepts: what is taught is found elsewhere, what is said of it holds there, and no record is believed unread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from taught import DIM, INFO, SIDE, THING, box, make_store, truth

from geocmer.collection import Collection
from geocmer.datasets.spatial_split import spatial_folds
from geocmer.errors import FingerprintError, InputError, StoreError
from geocmer.models.encoder import Encoder
from geocmer.search.concept import Concept, CrossValidation, Share
from geocmer.search.concept_fit import Examples, fit_concept
from geocmer.search.concepts import concepts_of, export_concept, import_concept, make_concept
from geocmer.search.labelled_tiles import gather_examples
from geocmer.search.labels import Labels, read_labels
from geocmer.search.tile_probabilities import tile_probabilities
from geocmer.store.records import write_record
from geocmer.store.store import EncoderInfo, Store


def _examples(count: int, rate: float, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    shows = rng.random(count) < rate
    vectors = rng.standard_normal((count, DIM)) + np.outer(shows, 0.7 * THING)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    at = rng.permutation(40_000)[:count]
    places = shapely.box(at % 200 * 0.01, at // 200 * 0.01, at % 200 * 0.01 + 0.01, at // 200 * 0.01 + 0.01)
    return Examples(vectors, np.asarray(places, object), shows, np.zeros(count, bool))


@cache
def _measured() -> CrossValidation:
    return fit_concept(_examples(60, 0.5, 4), "x", 1, INFO).measured


def test_what_is_said_of_a_concept_holds_for_tiles_that_it_never_saw() -> None:
    concept = fit_concept(_examples(300, 0.3, 1), "thing", 1, INFO)
    fresh = _examples(20_000, 0.3, 2)
    p = concept.probability_model.of_products(concept.direction[None] @ fresh.vectors.T)
    found = p >= 0.5
    precision = (found & fresh.shows).sum() / found.sum()
    recall = (found & fresh.shows).sum() / fresh.shows.sum()
    assert concept.measured.precision.low <= precision <= concept.measured.precision.high
    assert concept.measured.recall.low <= recall <= concept.measured.recall.high
    for low in np.arange(0, 1, 0.2):  # calibrated: of the tiles that are given about p, a share of p shows it
        some = (p >= low) & (p < low + 0.2)
        assert fresh.shows[some].mean() == pytest.approx(p[some].mean(), abs=0.12)


@given(st.integers(0, 60), st.integers(0, 60))
def test_intervals_are_those_of_wilson(right: int, wrong: int) -> None:
    from scipy.stats import binomtest

    share = Share.of(right, right + wrong)
    if not right + wrong:
        assert (share.value, share.low, share.high) == (None, 0, 1)
        return
    oracle = binomtest(right, right + wrong).proportion_ci(method="wilson")
    assert (share.low, share.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


@given(st.integers(10, 120), st.integers(0, 5))
def test_folds_are_apart_and_hold_everything_once(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = np.array([box(int(n)) for n in rng.permutation(SIDE * SIDE)[:count]], object)
    folds = spatial_folds(places, rng.random(count) < 0.3, seed=seed)
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(count))
    for train, held in folds:
        assert not set(train) & set(held)
        for row in held:
            assert (shapely.distance(places[row], places[train]) > 1e-7).all()


def _marked(folder: Path, name: str, ids: list[int], marks: list[Any], column: str = "label") -> Path:
    frame = geopandas.GeoDataFrame(
        {"id": [f"{n:032x}" for n in ids], column: marks}, geometry=[box(n) for n in ids], crs=4326
    )
    path = folder / name
    if path.suffix == ".jsonl":
        records = frame.drop(columns="geometry").to_dict("records")
        path.write_text("\n".join(json.dumps(record) for record in records))
    elif path.suffix == ".csv":
        frame.drop(columns="geometry").to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    return path


@pytest.mark.parametrize("name", ["marks.geojson", "marks.gpkg", "marks.csv", "marks.jsonl", "marks.parquet"])
def test_marked_hits_are_read_from_every_format(tmp_path: Path, name: str) -> None:
    path = _marked(tmp_path, name, [1, 2, 3, 4], ["yes", "No", None, "thing"])
    labels = read_labels(path, "thing")
    assert labels.ids.tolist() == [f"{n:032x}" for n in (1, 2, 4)]
    assert labels.shows.tolist() == [True, False, True]
    others = read_labels(_marked(tmp_path, name, [1, 2], ["farm", "pv"], "kind"), "thing", "kind", ["pv"])
    assert others.shows.tolist() == [False, True]


def test_marks_that_are_not_understood_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither yes nor no: maybe"):
        read_labels(_marked(tmp_path, "a.geojson", [1, 2], ["yes", "maybe"]), "thing")
    with pytest.raises(InputError, match="no column 'label'"):
        read_labels(_marked(tmp_path, "b.geojson", [1], ["yes"], "mark"), "thing")
    with pytest.raises(InputError, match="nothing marked"):
        read_labels(_marked(tmp_path, "c.geojson", [1], [""]), "thing")
    (tmp_path / "d.geojson").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "d.geojson", "thing")


def test_marks_on_the_ground_speak_of_the_tiles_that_they_cover(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    shapes = [
        box(0).buffer(-0.001),
        box(5).union(box(6)),
        shapely.Point(box(40).centroid),
        box(100),
        box(102).buffer(0.002),
    ]
    frame = geopandas.GeoDataFrame({"label": ["yes", "yes", "yes", "no", "no"]}, geometry=shapes, crs=4326)
    frame.to_crs(32632).to_file(tmp_path / "drawn.gpkg")
    notes: list[str] = []
    labels = read_labels(tmp_path / "drawn.gpkg", "thing")
    found = gather_examples(store.snapshot(), labels, 30, notes.append)
    ids = [
        int(round((place.bounds[0] - 10) * 100) + round((50 - place.bounds[3]) * 100) * SIDE) for place in found.places
    ]
    yes = {n for n, shows in zip(ids, found.shows, strict=True) if shows}
    no = {n for n, shows, drawn in zip(ids, found.shows, found.drawn, strict=True) if not shows and not drawn}
    assert yes == {0, 5, 6, 40}
    assert no == {100, 102}
    drawn = [place for place, one in zip(found.places, found.drawn, strict=True) if one]
    assert len(drawn) == 30
    assert min(place.distance(shape) for place in drawn for shape in shapes) > 1e-7
    assert any("left out" in note for note in notes), "tiles that are touched and no more"


def test_a_single_point_at_the_edge_of_the_map_is_a_place(tmp_path: Path) -> None:
    """What is looked through for it is a box, which may not leave the Earth."""
    labels = Labels(np.array([""]), np.array([shapely.Point(180, 50)], object), np.array([True]))
    with pytest.raises(InputError, match="no mark speaks of a tile"):
        gather_examples(make_store(tmp_path / "store").snapshot(), labels, 0, lambda _: None)


def _teach(store: Store, folder: Path) -> Concept:
    ids = np.random.default_rng(3).permutation(SIDE * SIDE)[:120]
    marks = ["yes" if shown else "no" for shown in truth(ids)]
    path = _marked(folder, "taught.geojson", ids.tolist(), marks)
    return make_concept(store, "Thing", path, drawn=100, notify=lambda _: None)


def test_a_concept_is_kept_taught_again_carried_and_removed(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    first = _teach(store, tmp_path)
    assert (first.version, first.measured.yes + first.measured.no) == (1, 120)
    assert _teach(store, tmp_path).version == 2
    reopened = Store.open(tmp_path / "store")
    found = concepts_of(reopened).find(["lake", "thing"])["thing"]
    assert found.to_json() == concepts_of(reopened).get(" THING ").to_json()
    tiles = tile_probabilities(reopened.snapshot(), found.probability_model)
    vectors = np.concatenate(
        [b[INFO.column].values.to_numpy().reshape(-1, DIM) for b in store.snapshot().scan([INFO.column])]
    )
    oracle = 1 / (1 + np.exp(-(vectors.astype(np.float64) @ found.weights + found.bias)))
    np.testing.assert_allclose(tiles.values, oracle, rtol=1e-6)
    shown = truth(np.arange(SIDE * SIDE))
    assert ((tiles.values >= 0.5) == shown).mean() > 0.9
    export_concept(reopened, "thing", tmp_path / "thing.json")
    other = make_store(tmp_path / "other", seed=5)
    assert import_concept(other, tmp_path / "thing.json", "that").weights.tolist() == found.weights.tolist()
    assert [concept.name for concept in concepts_of(other).all()] == ["that"]
    concepts_of(other).remove("That")
    assert concepts_of(other).find(["that"]) == {}
    with pytest.raises(StoreError, match="no concept 'that'"):
        concepts_of(other).get("that")


def test_vectors_of_another_encoder_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    concept = _teach(store, tmp_path)
    export_concept(store, "thing", tmp_path / "thing.json")
    other = Store.create(tmp_path / "other")
    other.add_encoder(EncoderInfo("cd" * 16, "bundled", "", DIM))
    with pytest.raises(FingerprintError, match="teach it again"):
        import_concept(other, tmp_path / "thing.json")
    with pytest.raises(FingerprintError, match=r"abababab.*cdcdcdcd"):
        concept.require_encoder(EncoderInfo("cd" * 16, "bundled", "", DIM))


def test_too_few_marks_or_places_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    few = _marked(tmp_path, "few.geojson", [0, 1, 5, 9], ["yes", "yes", "no", "no"])
    with pytest.raises(InputError, match="2 tiles show it, and teaching takes 5"):
        make_concept(store, "thing", few, drawn=0, notify=lambda _: None)
    ids = [n * SIDE + m for n in range(3) for m in range(4)]
    near = _marked(tmp_path, "near.geojson", ids, ["yes", "no"] * 6)
    with pytest.raises(InputError, match="too few places"):
        make_concept(store, "thing", near, drawn=0, notify=lambda _: None)


DAMAGE: st.SearchStrategy[Any] = st.sampled_from(
    [None, "x", -1, [], {}, float("nan"), float("inf"), True, [1, "a"], [0.0] * DIM]
)


@given(
    field=st.sampled_from(["name", "version", "encoder", "weights", "bias", "measured", "made", "format"]), value=DAMAGE
)
def test_a_record_that_was_tampered_with_is_refused(field: str, value: Any) -> None:
    good = json.loads(
        Concept("a", 1, INFO, np.arange(1, DIM + 1, dtype=np.float64), 0.5, _measured(), "2026-01-01").to_json()
    )
    if (field, value) in [("made", "x"), ("name", "x"), ("bias", -1)]:
        return  # these are good values
    with pytest.raises(InputError, match="no concept that this geocmer reads"):
        Concept.from_json(json.dumps({**good, field: value}), "it")


def test_a_damaged_record_is_told_from_the_others(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    _teach(store, tmp_path)
    write_record(store.path, "concept", "broken", '{"format": "geocmer-concept-1", "weights": [[[')
    assert concepts_of(store).get("thing").name == "Thing"
    with pytest.raises(StoreError, match="concept remove 'broken'"):
        concepts_of(store).get("broken")
    concepts_of(store).remove("broken")


def test_a_concept_answers_by_its_name_alone_and_in_relations(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    concept = _teach(store, tmp_path)
    asked: list[str] = []
    notes: list[str] = []
    collection = Collection(tmp_path / "store", encoder=cast("Encoder", Words(asked)), notify=notes.append)
    hits = collection.search("THING", k=20, keep="all").hits
    p = tile_probabilities(store.snapshot(), concept.probability_model).values
    best = np.argsort(-p, kind="stable")[:20]
    assert {hit.id for hit in hits} == {f"{n:032x}" for n in best}
    assert [hit.probability for hit in hits] == pytest.approx(p[best].tolist(), rel=2e-7)
    assert any("the concept that was taught, version 1" in note for note in notes)
    related = collection.search("lake next to thing", k=None, keep="all").hits
    scores = {hit.id: hit.partners[0].score for hit in related}
    assert scores, "some tile has a partner"
    for hit in related[:20]:
        partner = hit.partners[0]
        assert partner.score == pytest.approx(float(p[int(partner.id, 16)]), rel=2e-7)
    notes.clear()
    collection.search("thing", k=3, literal=True)
    assert not any("concept" in note for note in notes)
    collection.search("thing", "lake", k=3)
    assert any("taken as words here" in note for note in notes)


class Words:
    """Embeds each text as a vector of its own."""

    fingerprint, dim, folder, scale = INFO.fingerprint, DIM, None, 10.0

    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._asked += texts
        seeds = [int.from_bytes(text.encode()[:8], "big") for text in texts]
        vectors = np.array([np.random.default_rng(seed).standard_normal(DIM) for seed in seeds]).reshape(-1, DIM)
        unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return unit
