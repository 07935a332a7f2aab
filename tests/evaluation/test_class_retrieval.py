"""A labelled set is scored by the words of its labels, as counted by hand, and its panels show what was counted."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geocmer.datasets.annotations import load_pairs
from geocmer.errors import InputError
from geocmer.evaluation.class_retrieval import class_questions, class_scores
from geocmer.evaluation.panels import BEST_IMAGES, caption_panels, class_panels, draw_panels, write_panels
from geocmer.evaluation.ranking import average_precision, precision_at, rank_right
from geocmer.evaluation.rows import evaluate

COLOURS = {"SeaLake": (20, 40, 200), "pine_forest": (20, 120, 30), "desert": (220, 200, 120)}


WORDS = dict(zip(("sea lake", "pine forest", "desert"), COLOURS.values(), strict=True))


class ColourBackbone:
    size, spec = 16, "colours"


class ColourEncoder:
    """Mean colours as vectors, of pictures and of the words that name them."""

    backbone, scale = ColourBackbone(), 10.0

    def encode_images(self, pixels: np.ndarray) -> np.ndarray:
        return self._unit(pixels.reshape(len(pixels), -1, 3).mean(1) - 100)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self._unit(np.array([WORDS[text] for text in texts], float) - 100)

    @staticmethod
    def _unit(x: np.ndarray) -> np.ndarray:
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """24 pictures of three classes; two show another class than their label says."""
    rng, images = np.random.default_rng(0), []
    for i in range(24):
        label = list(COLOURS)[i % 3]
        shown = "desert" if i in (0, 1) else label
        pixels = np.clip(np.array(COLOURS[shown]) + rng.normal(0, 10, (20, 20, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        images.append({"path": f"{i}.png", "label": label, "split": "test"})
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"images": images}))
    return file


def test_classes_are_scored_by_their_words(labelled: Path) -> None:
    rows = evaluate(labelled, ColourEncoder())  # type: ignore[arg-type]
    by_class = {str(row["class"]): row for row in rows}
    assert set(by_class) == {"sea lake", "pine forest", "desert", "mean of classes"}
    assert {name: row["images"] for name, row in by_class.items()} == {
        "sea lake": 8, "pine forest": 8, "desert": 8, "mean of classes": 24,
    }  # fmt: skip
    # One of the eight seas and one of the eight forests is drawn as a desert.
    assert by_class["sea lake"]["accuracy"] == by_class["pine forest"]["accuracy"] == 0.875
    assert by_class["desert"]["accuracy"] == 1
    assert by_class["mean of classes"]["accuracy"] == pytest.approx(22 / 24, abs=1e-3)
    assert by_class["desert"]["chance"] == pytest.approx(1 / 3, abs=1e-3)
    shuffled = evaluate(labelled, ColourEncoder(), shuffle=True, seed=1)  # type: ignore[arg-type]
    assert float(shuffled[-1]["accuracy"]) < 0.7


def test_the_figures_of_a_ranking_are_those_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, right = rng.random(60).astype(np.float32), rng.random(60) < 0.3
        ranked = rank_right(scores, right, 0)
        above = [right[scores >= score].mean() for score in scores[right]]  # precision at the rank of each right one
        assert average_precision(ranked) == pytest.approx(np.mean(above))
        assert precision_at(ranked, 20) == pytest.approx(right[np.argsort(-scores)][:20].mean())
    assert average_precision(np.zeros(5, bool)) == 0
    assert precision_at(np.array([True, False]), 20) == 0.5


def test_an_image_may_have_several_labels() -> None:
    similarity = np.array([[0.9, 0.1], [0.8, 0.7], [0.2, 0.6], [0.5, 0.3]], np.float32)
    correct = np.array([[True, False], [True, True], [False, True], [False, True]])
    scores = {score.words: score for score in class_scores(("a", "b"), similarity, correct)}
    assert (scores["a"].images, scores["b"].images) == (2, 3)
    assert scores["a"].accuracy == 1
    assert scores["b"].accuracy == pytest.approx(2 / 3)  # the second image is rightly called "a", the last one is not
    assert scores["b"].average_precision == 1
    assert scores["a"].average_precision == 1


def test_the_panel_frames_right_and_wrong_answers(labelled: Path, tmp_path: Path) -> None:
    evaluate(labelled, ColourEncoder(), panels=tmp_path / "out")  # type: ignore[arg-type]
    (file,) = (tmp_path / "out").glob("*.jpg")
    assert file.name == f"{labelled.parent.name}-test.jpg"
    pairs = load_pairs(labelled).split("test")
    questions = class_questions(pairs)
    assert questions is not None
    words, correct = questions
    similarity = ColourEncoder().encode_images(np.stack([p.image.pixels(16) for p in pairs.pairs])) @ (
        ColourEncoder().encode_texts(words).T
    )
    panels = class_panels(pairs, words, similarity, correct)
    assert file.read_bytes() == draw_panels(panels)
    page = np.asarray(Image.open(io.BytesIO(draw_panels(panels))).convert("RGB")).astype(int)
    for row, panel in enumerate(panels):
        ranked = correct[np.argsort(-similarity[:, row]), row].tolist()
        wrong = [i for i in range(BEST_IMAGES, len(ranked)) if not ranked[i]][:2]
        assert [answer.rank - 1 for answer in panel.answers] == [*range(BEST_IMAGES), *wrong]
        assert [answer.right for answer in panel.answers] == [*ranked[:BEST_IMAGES], False, False]
        for column, answer in enumerate(panel.answers):
            top, left = row * (22 + 120 + 6) + 6 + 22, column * (120 + 6) + 6 * (1 + (answer.rank > BEST_IMAGES))
            red, green, _ = page[top + 1, left + 60]
            assert (green > red) == answer.right
            shown = page[top + 4 : top + 116, left + 4 : left + 116]
            assert np.abs(shown.mean((0, 1)) - answer.pixels.mean((0, 1))).max() < 3


def test_a_caption_has_one_right_answer(labelled: Path) -> None:
    pairs = load_pairs(labelled).split("test")
    owner = pairs.captions()[1]
    similarity = np.zeros((len(pairs), len(owner)), np.float32)
    similarity[owner, np.arange(len(owner))] = 1
    panels = caption_panels(pairs, similarity, owner)
    assert all([answer.right for answer in panel.answers] == [True] + [False] * (BEST_IMAGES + 1) for panel in panels)


def test_panels_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give another --panels"):
        write_panels([], tmp_path / "file", "x")
    assert write_panels([], tmp_path, "a/b c").name == "a-b-c.jpg"
