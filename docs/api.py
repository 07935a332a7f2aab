"""The page on the Python API: every public object, under the package that it is imported from."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "geocmer"

_HEAD = """# Python API

What each package offers, in the order of the flow. A name is imported from its package, as in
`from geocmer.search import nearest_tiles`; other modules and names may change without a note in the changelog.
Made from the packages' `__init__.pyi` by `python docs/generate.py`; a test keeps it so.
"""

ORDER = (
    "",
    "imagery",
    "landcover",
    "models",
    "ingest",
    "store",
    "search",
    "relations",
    "export",
    "datasets",
    "training",
    "evaluation",
    "doctor",
    "geometry",
)
"""Packages from pixels to answers; "" is geocmer itself."""


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for name in ORDER:
        package = f"geocmer.{name}".rstrip(".")
        if names := public(ROOT / name):
            docstring = ast.get_docstring(ast.parse((ROOT / name / "__init__.py").read_text())) or ""
            lines += [f"## {package}\n", docstring.split("\n\n")[0] + "\n"]
            lines += [f"::: {package}.{each}" for each in names] + [""]
    lines += ["## geocmer.errors\n", "::: geocmer.errors"]
    return "\n".join(lines) + "\n"


def public(folder: Path) -> list[str]:
    """The names that a package's stub exports; of a package without a stub, its `__all__`."""
    stub = folder / "__init__.pyi"
    if stub.is_file():
        tree = ast.parse(stub.read_text())
        return [a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname]
    for node in ast.parse((folder / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return [name for name in ast.literal_eval(node.value) if not name.startswith("_")]
    return []
