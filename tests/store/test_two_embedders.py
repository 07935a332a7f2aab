"""Two processes begin to embed a new store beside each other: it ends as one of them alone would have made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pytest
from lance.dataset import MergeInsertBuilder
from synthetic import ENCODER, OTHER, contents, filled, tile, unit

from geocmer.errors import FingerprintError
from geocmer.store import EncoderInfo, Store
from geocmer.store.reader import TileKey

COMMITS: tuple[tuple[type[Any], str], ...] = (
    (lance.LanceDataset, "update_schema_metadata"),
    (lance.LanceDataset, "add_columns"),
    (MergeInsertBuilder, "execute"),
)
"""What a first embedding writes, in this order."""


def _encode(info: EncoderInfo) -> Callable[[list[TileKey]], np.ndarray]:
    def encode(keys: list[TileKey]) -> np.ndarray:
        return np.stack([unit(1, info.dim, int(key.id[-8:], 16))[0] for key in keys])

    return encode


def _embed(store: Store, info: EncoderInfo) -> None:
    store.reembed(info, _encode(info))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[EncoderInfo, list[dict[str, Any]]]:
    """What a store holds that one process embedded, by the encoder."""
    found = {}
    for info in (ENCODER, OTHER):
        store = filled(tmp_path_factory.mktemp("alone") / "store", [tile(n) for n in range(5)], None)
        _embed(store, info)
        found[info] = contents(store)
    return found


@pytest.mark.parametrize("second", [ENCODER, OTHER], ids=["the same encoder", "another"])
@pytest.mark.parametrize("step", range(len(COMMITS)))
@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after it"])
@pytest.mark.parametrize("to_its_end", [False, True], ids=["the other begins", "the other does all"])
def test_the_store_ends_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alone: dict[EncoderInfo, list[dict[str, Any]]],
    second: EncoderInfo,
    step: int,
    after: bool,
    to_its_end: bool,
) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(5)], None)
    other = Store.open(store.path)
    owner, name = COMMITS[step]
    write = getattr(owner, name)
    raced: list[bool] = []

    def race() -> None:
        if not raced:
            raced.append(True)
            _embed(other, second) if to_its_end else other.add_encoder(second)

    def racing(*args: Any, **kwargs: Any) -> object:
        if not after:
            race()
        done = write(*args, **kwargs)
        if after:
            race()
        return done

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, racing)
        refused = False
        try:
            _embed(store, ENCODER)
        except FingerprintError as error:
            refused = "takes no vectors" in str(error)
            assert refused
    if not to_its_end:
        _embed(other, second)
    assert raced
    final = Store.open(store.path)
    last = second if refused or not to_its_end else ENCODER
    assert final.encoder == last
    assert final.pending_encoder is None
    assert final.dead_vectors() == set()
    assert contents(final) == alone[last]
