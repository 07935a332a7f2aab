"""Probabilities of hits: what they are made of, and that every way of searching gives the same ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import DIM, ENCODER, filled, tile, unit

from geocmer.errors import InputError, ModelError
from geocmer.export import attributes
from geocmer.export.record import COLUMNS
from geocmer.models.encoder import default_adapter
from geocmer.models.text_encoder import NumpyTextEncoder
from geocmer.relations.answering import answer_question
from geocmer.relations.question import Question, SearchOptions
from geocmer.search import ivf_build
from geocmer.search.probability import (
    LIKELY,
    POSSIBLE,
    Calibration,
    ProbabilityModel,
    background,
    calibration_of,
    percent,
    unlikely_note,
)
from geocmer.search.vector_search import nearest_tiles
from geocmer.store import Store, mmap_cache
from geocmer.store.filter import Filter

COUNT = 400
VECTORS = unit(COUNT, DIM, seed=3)
TEXTS = dict(zip(("lake", "forest", "town"), unit(3, DIM, seed=4), strict=True))
MEAN = unit(2, DIM, seed=5).mean(axis=0).astype(np.float64)
HUB_WEIGHT = 0.7
CALIBRATION = Calibration(MEAN, 9.0, -14.0, HUB_WEIGHT)


def encode(texts: Any) -> np.ndarray:
    return np.array([TEXTS[text] for text in texts])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    rows = [tile(n, category="a" if n % 3 else "b") for n in range(COUNT)]
    return filled(tmp_path_factory.mktemp("likely") / "store", rows, VECTORS)


@pytest.fixture
def encoder(tmp_path: Path) -> Any:
    CALIBRATION.save(tmp_path, ENCODER.fingerprint)
    return SimpleNamespace(encode_texts=encode, fingerprint=ENCODER.fingerprint, dim=DIM, scale=10, folder=tmp_path)


def by_hand(shown: str, *absent: str) -> np.ndarray:
    """The probability of every tile, from the formula, in float64."""
    x = VECTORS.astype(np.float16).astype(np.float64)

    def p(text: str, share: float = 0.01) -> np.ndarray:
        """Bayes' theorem: how much more often a tile looks so where the concept is shown, and how many show it."""
        apart = TEXTS[text].astype(np.float64) - MEAN
        odds = np.exp(9 * (x @ apart / np.linalg.norm(apart) + HUB_WEIGHT * x[:, -1]) - 14)
        likelihood_ratio = odds * 0.99 / 0.01
        return share * likelihood_ratio / (share * likelihood_ratio + 1 - share)

    return np.prod([p(shown), *(1 - p(text, 0.1) for text in absent)], axis=0)


def ask(store: Store, encoder: Any, *texts: str, said: list[str] | None = None, minus: Any = (), **options: Any) -> Any:
    question = Question.of(texts, minus=minus, literal=True)
    notify = (said if said is not None else []).append
    return answer_question(store, encoder, question, SearchOptions(keep=None, **options), notify)


@pytest.mark.parametrize("minus", [(), ("forest",), ("forest", "town")])
def test_a_hit_has_the_probability_of_the_formula(store: Store, encoder: Any, minus: tuple[str, ...]) -> None:
    p = by_hand("lake", *minus)
    answer = ask(store, encoder, "lake", minus=minus, k=None)
    assert len(answer) == COUNT
    for hit in answer:
        assert hit.probability == pytest.approx(p[int(hit.id, 16)], rel=1e-6)
        assert attributes(hit)["probability"] == round(hit.probability, 6)
    assert "probability" in COLUMNS


def test_texts_that_are_averaged_count_as_one(store: Store, encoder: Any) -> None:
    mean = TEXTS["lake"] + TEXTS["town"]
    TEXTS["both"] = mean / np.linalg.norm(mean)
    both = ask(store, encoder, "lake", "town", k=5)
    one = ask(store, encoder, "both", k=5)
    assert [hit.id for hit in both] == [hit.id for hit in one]
    assert [hit.probability for hit in both] == pytest.approx([hit.probability for hit in one], abs=1e-6)


@given(least=st.floats(0, 1), k=st.none() | st.integers(1, 20))
def test_no_hit_is_less_probable_than_asked_and_none_is_missing(store: Store, least: float, k: int | None) -> None:
    probability_model = ProbabilityModel.of(CALIBRATION, encode(["lake"]), encode(["forest"]))
    p, cosines = by_hand("lake", "forest"), VECTORS.astype(np.float16).astype(np.float64) @ TEXTS["lake"]
    order = [n for n in np.argsort(-cosines, kind="stable").tolist() if p[n] >= least]
    ways: list[dict[str, Any]] = [{}, {"filter": Filter(category="b")}]
    for way in ways:
        answer = nearest_tiles(
            store, TEXTS["lake"], k=k, probability_model=probability_model, min_probability=least, **way
        )
        expected = [n for n in order if not way or n % 3 == 0][:k]
        assert [int(hit.id, 16) for hit in answer] == expected


@given(
    named=st.lists(st.sampled_from(["forest", "town", "lake"]), max_size=3), more=st.sampled_from(["forest", "town"])
)
def test_what_must_not_be_shown_only_takes_away(named: list[str], more: str) -> None:
    shown, absent = encode(["lake"]), encode(named) if named else np.empty((0, DIM))
    alone, fewer, all_of_it = (
        ProbabilityModel.of(CALIBRATION, shown, some).of_vectors(VECTORS.astype(np.float16))
        for some in (absent[:0], absent, np.concatenate([absent, encode([more])]))
    )
    assert (all_of_it <= fewer).all()
    assert (fewer <= alone).all()
    assert (all_of_it < alone).all()


def test_every_plan_gives_the_same_bits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    probability_model = ProbabilityModel.of(CALIBRATION, encode(["lake"]), encode(["forest"]))

    best = []

    def found(**way: Any) -> list[tuple[str, float | None]]:
        answer = nearest_tiles(
            store, TEXTS["lake"], k=30, probability_model=probability_model, min_probability=0.001, **way
        )
        assert answer.likeliest is not None
        best.append(answer.likeliest())
        return [(hit.id, hit.probability) for hit in answer]

    scanned = found()
    assert 5 < len(scanned) <= 30
    monkeypatch.setattr(ivf_build, "INDEX_MIN_TILES", 1)
    index = ivf_build.build_index(store, unit(8, DIM, seed=1))
    assert set(found(index=index)) <= set(scanned)
    monkeypatch.setattr(mmap_cache, "CACHE_MIN_ROWS", 1)
    assert found() == scanned
    monkeypatch.setattr("geocmer.search.dot.NUMBA_MIN_ROWS", 1)
    assert found() == scanned
    assert best[0] == pytest.approx(by_hand("lake", "forest")[by_hand("lake").argmax()])
    assert best == best[:1] * 4


def test_a_store_without_it_says_so(store: Store, encoder: Any) -> None:
    best = by_hand("lake").max()
    assert best < POSSIBLE, "random vectors are like nothing"
    said: list[str] = []
    ask(store, encoder, "lake", said=said, k=1)
    assert said == [f"no tile is likely to show 'lake'; the best has {percent(best)}"]
    said.clear()
    assert not len(ask(store, encoder, "lake", said=said, min_probability=0.6))
    assert said == [unlikely_note("lake", best)]


def test_a_store_with_it_says_nothing_unless_likelier_tiles_rank_lower(store: Store, encoder: Any) -> None:
    p, cosines = by_hand("lake"), VECTORS.astype(np.float16).astype(np.float64) @ TEXTS["lake"]
    assert p.argmax() != cosines.argmax(), "a case in which the order differs"
    between = (np.log(1 / p.max() - 1) + np.log(1 / p[cosines.argmax()] - 1)) / 2
    Calibration(MEAN, 9.0, -14.0 + between, HUB_WEIGHT).save(encoder.folder, ENCODER.fingerprint)
    said: list[str] = []
    ask(store, encoder, "lake", said=said, k=COUNT)
    assert said == []
    ask(store, encoder, "lake", said=said, k=1)
    assert "--min-probability 0.5" in said[0]
    likely = [int(hit.id, 16) for hit in ask(store, encoder, "lake", min_probability=0.5, k=COUNT)]
    assert p.argmax() in likely
    assert cosines.argmax() not in likely


def test_a_printed_probability_finds_its_own_tile(store: Store, encoder: Any) -> None:
    hits = ask(store, encoder, "lake", k=20)
    for hit in hits:
        again = ask(store, encoder, "lake", k=None, min_probability=attributes(hit)["probability"])
        assert hit.id in {other.id for other in again}


def test_what_has_no_probability_says_so(store: Store, encoder: Any) -> None:
    examples = Question.of(["lake"], like=[f"{1:032x}"])
    (hit,) = answer_question(store, encoder, examples, SearchOptions(k=1), lambda _: None)
    assert hit.probability is None
    with pytest.raises(InputError, match="words have"):
        answer_question(store, encoder, examples, SearchOptions(min_probability=0.5), lambda _: None)
    encoder.folder = None
    (hit,) = ask(store, encoder, "lake", k=1)
    assert hit.probability is None
    with pytest.raises(InputError, match="no calibration"):
        ask(store, encoder, "lake", min_probability=0.5)
    with pytest.raises(InputError, match="not between"):
        ask(store, encoder, "lake", min_probability=50)


def test_a_calibration_of_other_weights_is_refused(tmp_path: Path) -> None:
    assert Calibration.load(tmp_path, "a" * 32) is None
    CALIBRATION.save(tmp_path, "a" * 32)
    again = Calibration.load(tmp_path, "a" * 32)
    assert again is not None
    assert np.array_equal(again.background, CALIBRATION.background)
    assert (again.slope, again.offset, again.hub_weight) == (CALIBRATION.slope, CALIBRATION.offset, HUB_WEIGHT)
    with pytest.raises(ModelError, match="other weights"):
        Calibration.load(tmp_path, "b" * 32)
    (tmp_path / "calibration.safetensors").write_bytes(b"junk")
    with pytest.raises(ModelError, match="geocmer calibrate"):
        Calibration.load(tmp_path, "a" * 32)


def test_the_shipped_adapter_has_a_calibration_of_its_own_background() -> None:
    encoder = NumpyTextEncoder(default_adapter())
    shipped = calibration_of(encoder)
    assert shipped is not None
    some = background()[::8]
    mean = encoder.encode_texts(some).astype(np.float64).mean(axis=0)
    cosine = mean @ shipped.background / np.linalg.norm(mean) / np.linalg.norm(shipped.background)
    assert cosine > 0.9, "run `geocmer calibrate` after replacing the adapter"
    assert shipped.slope > 0


def test_the_background_is_a_list_of_concepts() -> None:
    assert len(background()) == len(set(background())) >= 50
    assert all(line == line.strip() for line in background())


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_a_makeshift_calibration_rises_with_the_cosine_and_knows_no_scale(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    concepts, tiles, concept = rng.normal(size=(20, 8)), rng.normal(size=(50, 8)), rng.normal(size=(1, 8))
    made = Calibration.of_sample(concepts, tiles)
    p = made.probability(made.directions(concept) @ tiles.T)[0]
    cosine = tiles @ (concept[0] - concepts.mean(axis=0))
    assert np.array_equal(np.argsort(p, kind="stable"), np.argsort(cosine, kind="stable"))
    scaled = Calibration.of_sample(concepts, scale * tiles)
    assert scaled.probability(scaled.directions(concept) @ (scale * tiles).T)[0] == pytest.approx(p, rel=1e-4)
    assert ((p > 0) & (p < 1)).all()


def test_what_is_possible_is_not_denied(store: Store, encoder: Any) -> None:
    best, wanted = by_hand("lake").max(), (POSSIBLE + LIKELY) / 2
    more = np.log(wanted / (1 - wanted)) - np.log(best / (1 - best))
    Calibration(MEAN, 9.0, -14.0 + more, HUB_WEIGHT).save(encoder.folder, ENCODER.fingerprint)
    said: list[str] = []
    ask(store, encoder, "lake", said=said, k=COUNT)
    assert said == ["no tile is certain to show 'lake'; the best has 35 %, look at it"]


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.001, "less than 1 %"), (0.02, "2 %"), (0.5, "50 %"), (0.99, "99 %"), (0.995, "more than 99 %")],
)
def test_probabilities_are_written_for_people(p: float, words: str) -> None:
    assert percent(p) == words
