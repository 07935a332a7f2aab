"""A fault at each named step of tiling: after a rerun the store is that of an undisturbed run, row for row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faults import tile_with_fault
from synthetic import contents, noise, raster

from geocmer.doctor import examine
from geocmer.ingest.pipeline import ingest
from geocmer.ingest.tile_options import TileOptions
from geocmer.store import Store

STORE, LANCE = "geocmer.store.store:Store.", "geocmer.store.lance:"
STEPS = [
    (LANCE + "create_tables", 1),
    (STORE + "begin_scene", 2),
    (STORE + "add_tiles", 1),
    (STORE + "add_tiles", 2),
    (LANCE + "undo_if_torn", 1),
    ("geocmer.store.checksums:record", 1),
    (LANCE + "sync_tables", 2),
    (STORE + "add_scene", 1),
    (STORE + "upkeep", 1),
    ("geocmer.store.versions:clear_versions", 1),
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[dict[str, object]]]:
    """Two scenes, and the rows of a store that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    files = [raster(folder / f"{number}.tif", noise(3, 128, 128, seed=number)) for number in range(2)]
    return files, contents(_tile(files, folder / "store"))


def _tile(files: list[Path], path: Path) -> Store:
    store = Store.open_or_create(path)
    for file in files:
        ingest(file, store, None, TileOptions(size=32))
    return store


@pytest.mark.parametrize(
    ("step", "call", "kind"),
    [
        *((step, call, "kill") for step, call in STEPS),
        (STORE + "add_tiles", 2, "interrupt"),
        (STORE + "add_scene", 2, "interrupt"),
        *((step, call, "failing") for step, call in STEPS[4:7]),
        *(("", limit, "disk full") for limit in (0, 300, 3_000, 30_000)),
    ],
    ids=lambda value: str(value).rsplit(":", maxsplit=1)[-1],
)
def test_a_rerun_makes_the_store_of_an_undisturbed_run(
    tmp_path: Path,
    processes: Any,
    expected: tuple[list[Path], list[dict[str, object]]],
    step: str,
    call: int,
    kind: str,
) -> None:
    files, rows = expected
    path = tmp_path / "store"
    process = processes.Process(
        target=tile_with_fault, args=([str(file) for file in files], str(path), step, call, kind)
    )
    process.start()
    process.join()
    if (kind, step) != ("failing", "geocmer.store.checksums:record"):  # a checksum less is no reason to stop
        assert process.exitcode, "the fault was not met"
    store = _tile(files, path)
    assert contents(store) == rows
    assert len(store.scenes()) == 2
    assert store.unfinished_uris() == {}
    kinds = {finding.kind for finding in examine(store).findings}
    assert not {"torn", "damaged", "unreadable", "unfinished", "duplicate"} & kinds
