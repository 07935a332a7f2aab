from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import filled, tile, unit

from geocmer.errors import InputError, StoreError
from geocmer.search.query_vector import combine_vectors, tile_vectors
from geocmer.search.vector_search import nearest_tiles


def test_the_formula() -> None:
    a, b, c, d, e, f = np.eye(6)
    found = combine_vectors(np.stack([a, b]), more=c[None], less=np.stack([d, e]), minus=f[None])
    expected = np.array([0.5, 0.5, 0.75, -0.125, -0.125, -0.5])
    assert found == pytest.approx(expected / np.linalg.norm(expected))


def test_a_single_text_is_asked_as_it_is() -> None:
    assert combine_vectors(unit(1)) == pytest.approx(unit(1)[0], abs=1e-7)


@pytest.mark.parametrize(
    ("asked", "others", "says"),
    [
        (np.empty((0, 8)), {}, "nothing is asked for"),
        (np.empty((0, 8)), {"less": unit(2)}, "nothing is asked for"),
        (unit(1), {"less": unit(1), "minus": np.concatenate([unit(1)] * 3) * 1.5}, "leaves nothing"),
    ],
)
def test_what_leaves_nothing_is_refused(asked: np.ndarray, others: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(InputError, match=says):
        combine_vectors(asked, **others)


def test_tiles_are_found_by_id_or_its_beginning(tmp_path: Path) -> None:
    names = ["ab" * 16, "abcdef" + "0" * 26, "abcdef" + "1" * 26]
    store = filled(tmp_path / "store", [tile(n, id=name) for n, name in enumerate(names)], unit(3))
    store.add_tiles([tile(3, id="ee" * 16)])
    found = tile_vectors(store, [names[1], "ABABAB", names[1]])
    assert found == pytest.approx(unit(3)[[1, 0, 1]], abs=1e-3)
    assert [hit.id for hit in nearest_tiles(store, combine_vectors(found[1:2]), k=1)] == [names[0]]
    for name, says in {
        "abcdef": "means 2 tiles",
        "123456": "is not in the store",
        "eeeeee": "no vector yet",
        "abab": "neither a file nor a tile's id",
        "x' OR '1'='1": "neither a file nor a tile's id",
    }.items():
        with pytest.raises(InputError, match=says):
            tile_vectors(store, [name])


def test_without_vectors_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no vectors yet"):
        tile_vectors(filled(tmp_path / "store", [tile(1)], None), ["ab" * 16])
