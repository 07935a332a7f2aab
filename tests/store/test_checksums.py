"""A bit that flips in a store's file is found, and what it spoiled is made again."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import contents, filled, noise, raster, tile, unit

from geocmer.doctor import examine
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store import Store
from geocmer.store.checksums import FOLDER, checksum


def flip(file: Path, at: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(at * (len(content) - 1))] ^= 0x10
    file.write_bytes(content)


@given(content=st.binary(max_size=200))
def test_a_checksum_is_that_of_zlib(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("files") / "x"
    file.write_bytes(content)
    assert checksum(file) == zlib.crc32(content)


@pytest.mark.parametrize("at", [0.02, 0.5])
@pytest.mark.parametrize("where", ["data", "_deletions"])
def test_a_flipped_bit_is_found_and_what_it_spoiled_is_made_again(tmp_path: Path, where: str, at: float) -> None:
    files = [raster(tmp_path / f"{n}.tif", noise(3, 64, 64, seed=n)) for n in range(3)]

    def run() -> Store:
        store = Store.open_or_create(tmp_path / "store")
        for number, file in enumerate(files):
            ingest(file, store, None, TileOptions(size=32))
            ids = [record["id"] for record in contents(store)][: number + 1]
            store.set_categories(ids, ["a"] * len(ids), [None] * len(ids), [None] * len(ids))
        return store

    store = run()
    expected = contents(store)
    assert "damaged" not in {finding.kind for finding in examine(store).findings}
    held = {file.path for fragment in store.snapshot().dataset.get_fragments() for file in fragment.metadata.files}
    folder = tmp_path / "store" / "tiles.lance" / where
    there = [file for file in folder.iterdir() if where == "_deletions" or file.name in held]
    file = max(there, key=lambda f: f.stat().st_mtime_ns)
    flip(file, at)
    found = {finding.kind: finding for finding in examine(Store.open(store.path)).findings}
    assert found["damaged"].example == str(file)
    assert "damaged" not in {finding.kind for finding in examine(Store.open(store.path), quick=True).findings}
    examine(Store.open(store.path), fix=True)
    again = run()
    assert contents(again) == expected
    assert "damaged" not in {finding.kind for finding in examine(again).findings}


def test_checksums_go_with_their_files_and_a_store_without_them_is_sound(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(n) for n in range(3)], unit(3))
    place = tmp_path / "store" / FOLDER / "tiles"
    data = tmp_path / "store" / "tiles.lance" / "data"
    assert {file.name for file in place.iterdir()} == {file.name for file in data.iterdir()}
    (place / "gone.lance").write_text("00000000\n")
    store.upkeep()
    assert {file.name for file in place.iterdir()} == {file.name for file in data.iterdir()}
    for damage in (lambda file: file.write_text(""), Path.unlink):  # cut off by a power cut; of an older geocmer
        for file in place.iterdir():
            damage(file)
        assert "damaged" not in {finding.kind for finding in examine(store).findings}
