"""Run the notebooks of the docs and keep what they show: `python docs/run_notebooks.py FOLDER [NOTEBOOK ...]`.

FOLDER holds the demo's scene and land cover (`make demo` leaves them in .demo); the stores are made there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).parent
TIMEOUT_SECONDS = 600
"""For one cell."""


def run(notebook: Path, folder: Path, kernel: Any = None) -> nbformat.NotebookNode:
    """Run a notebook in a folder and return it with its outputs.

    Args:
        notebook: its file.
        folder: it finds its files there.
        kernel: manager of a kernel that runs several of them, none of which sees the variables of another; a kernel of
            its own without.

    Raises:
        CellExecutionError: a cell failed.
    """
    book = nbformat.read(notebook, as_version=4)
    options = {"timeout": TIMEOUT_SECONDS, "resources": {"metadata": {"path": str(folder.absolute())}}}
    NotebookClient(book, kernel, **options).execute()
    if kernel is not None:
        forget = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%reset -f")])
        NotebookClient(forget, kernel, **options).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # times of day: they would change with every run
    book.metadata.pop("widgets", None)
    return nbformat.reads(nbformat.writes(book).replace(f"{folder.absolute()}/", ""), as_version=4)


if __name__ == "__main__":
    chosen = [Path(name) for name in sys.argv[2:]] or sorted(DOCS.rglob("*.ipynb"))
    for path in chosen:
        nbformat.write(run(path, Path(sys.argv[1])), path)
