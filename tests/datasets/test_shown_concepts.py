"""What pictures are known to show: labels, what most captions say, and what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geocmer.datasets.pairs import Pair
from geocmer.datasets.shown_concepts import ABSENT, MIN_IMAGES, SHOWN, UNKNOWN, ShownConcepts
from geocmer.imagery.images import ImageFile

NOWHERE = ImageFile(Path("nowhere.png"))


def synonyms(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Only a freeway is a highway."""
    same = [[{a, b} == {"freeway", "highway"} or a == b for b in second] for a in first]
    return np.array(same, bool).reshape(len(first), len(second))


def labelled(label: str, count: int = MIN_IMAGES) -> list[Pair]:
    return [Pair(NOWHERE, (f"a picture of {label}",), "val", labels=(label,)) for _ in range(count)]


def captioned(*captions: str, scene: str | None = None, count: int = MIN_IMAGES) -> list[Pair]:
    return [Pair(NOWHERE, captions, "val", scene=scene) for _ in range(count)]


def table(pairs: list[Pair], words: Sequence[str] = ()) -> dict[str, list[int]]:
    """Concept -> what is known of every eighth picture, one of each kind."""
    shown = ShownConcepts.of(pairs, words, synonyms)
    return {text: shown.known[::MIN_IMAGES, n].tolist() for n, text in enumerate(shown.texts)}


def test_labels_and_scenes_are_concepts_in_words() -> None:
    found = table([*labelled("SeaLake"), *captioned("a picture", scene="denseresidential"), *labelled("freeway")])
    assert found == {
        "sea lake": [SHOWN, ABSENT, ABSENT],
        "dense residential area": [ABSENT, SHOWN, ABSENT],
        "freeway": [ABSENT, ABSENT, SHOWN],
    }


def test_what_captions_mention_is_unknown_and_what_most_name_is_shown() -> None:
    pairs = [
        *captioned("two bridges", "a bridge", "a bridge", "a river", "water"),
        *captioned("a bridge", "a river", "a river", "a river", "water"),
        *captioned("a lake", "a lake"),
    ]
    assert table(pairs, ["bridge", "river", "volcano"]) == {
        "bridge": [SHOWN, UNKNOWN, ABSENT],
        "river": [UNKNOWN, SHOWN, ABSENT],
    }


def test_a_label_that_captions_name_is_not_shown_by_them_but_unknown() -> None:
    pairs = [*labelled("river"), *captioned("a river", "rivers"), *captioned("sand")]
    assert table(pairs) == {"river": [SHOWN, UNKNOWN, ABSENT]}


def test_words_in_common_and_synonyms_are_unknown() -> None:
    pairs = [
        *labelled("dense_residential"),
        *labelled("medium_residential"),
        *labelled("freeway"),
        *labelled("highway"),
    ]
    found = table(pairs)
    assert found["dense residential"] == [SHOWN, UNKNOWN, ABSENT, ABSENT]
    assert found["freeway"] == [ABSENT, ABSENT, SHOWN, UNKNOWN]


def test_generic_words_are_no_overlap() -> None:
    found = table([*labelled("industrial_area"), *labelled("commercial_area")])
    assert found == {"industrial area": [SHOWN, ABSENT], "commercial area": [ABSENT, SHOWN]}


def test_rare_concepts_and_those_that_all_show_are_left_out() -> None:
    assert table([*labelled("river", MIN_IMAGES - 1)]) == {}
    assert table(labelled("river")) == {}
    assert ShownConcepts.of([], ["river"], synonyms).known.shape == (0, 0)
