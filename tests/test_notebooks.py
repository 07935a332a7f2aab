"""The notebooks of the docs: kept as they were run, and they still run, on the scene they speak of."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import rasterio
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTEBOOKS = sorted(DOCS.rglob("*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat annotates none of its readers


def code_cells(book: nbformat.NotebookNode) -> list[Any]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_what_it_showed(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    cells = code_cells(book)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run docs/run_notebooks.py"
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2
    text = path.read_text()
    assert not re.search(r"/(home|root|work|tmp|Users)/", text), "a path of one machine"
    assert len(text) < 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """The demo's scene and its land cover, the middle of them: nine sixteenths."""
    made, scene = tmp_path_factory.mktemp("notebooks"), shared_data / "geo" / "nc_raleigh"
    for name, source in (("landsat_multiband.tif", "lsat7_2002.tif"), ("strata.tif", "landclass96.tif")):
        with rasterio.open(scene / source) as whole:
            width, height = 3 * whole.width // 4, 3 * whole.height // 4
            window = rasterio.windows.Window(width // 6, height // 6, width, height)
            profile = {**whole.profile, "width": width, "height": height, "transform": whole.window_transform(window)}
            with rasterio.open(made / name, "w", **profile) as part:
                part.write(whole.read(window=window))
    return made


@pytest.fixture(scope="module")
def kernel() -> Iterator[AsyncKernelManager]:
    """One process for all notebooks: geocmer and its model are loaded once."""
    manager = AsyncKernelManager(kernel_name="python3")
    yield manager
    run_sync(manager.shutdown_kernel)(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_the_same_kinds_of_things(
    path: Path, folder: Path, kernel: AsyncKernelManager
) -> None:
    spec = importlib.util.spec_from_file_location("run_notebooks", DOCS / "run_notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    again = module.run(path, folder, kernel)
    for old, new in zip(code_cells(read(path)), code_cells(again), strict=True):
        # Printed text comes before a result or around it: which kinds there are is compared, not their order.
        kinds = [{str(sorted(one.get("data", [one.get("name")]))) for one in cell.outputs} for cell in (old, new)]
        assert kinds[0] == kinds[1], old.source
