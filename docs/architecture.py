"""The page on the packages: a diagram of their imports, what each is for, and what it may use."""

from __future__ import annotations

import ast
import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import diagram
import grimp

ROOT = Path(__file__).resolve().parents[1]

_HEAD = """# Architecture

Made from the code by `python docs/generate.py`; a test keeps it so.

The packages of `geocmer/` stand along the flow of the data. Imports run down only: a package may use what stands below
it, never what stands above. The rule is written once, as layers in `pyproject.toml`, and `make check` holds the imports
to it.

## The flow

An arrow points from a package to one that it imports. What follows from other arrows is left out, so `training` may
reach `geometry` without an arrow of its own; the table has every import. Packages of one layer are in one row.
"""

_CLI = "cli"


def page() -> str:
    """The whole page."""
    layers, imports = _layers(), _imports()
    names = [name for layer, _ in layers for name in layer]
    uses = {name: sorted(imports[name], key=names.index) for name in names}
    lines = [_HEAD, "![The packages and their imports](architecture.svg)\n", "## What each is for\n"]
    lines += ["| package | what it is for | imports | may import as well |", "|---|---|---|---|"]
    for at, (layer, free) in enumerate(layers):
        below = [name for lower, _ in layers[at + 1 :] for name in lower]
        for name in layer:
            more = [other for other in [*(layer if free else []), *below] if other not in [name, *uses[name]]]
            lines.append(f"| {_link(name)} | {_summary(name)} | {_code(uses[name])} | {_code(more)} |")
    lines.append("\n## What is in each\n\nA module is one noun.")
    for name in names:
        if modules := _modules(name):
            lines.append(f"\n### {name}\n\n| module | |\n|---|---|")
            lines += [f"| `{_noun(module)}` | {_first_line(module)} |" for module in modules]
    return "\n".join(lines) + "\n"


def _layers() -> list[tuple[list[str], bool]]:
    """The packages from the top down, the command line first, and whether those of one layer may use each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [c for c in contracts if c.get("containers") == ["geocmer"]]
    return [([_CLI], False), *((re.split(r"\s*[:|]\s*", layer), "|" not in layer) for layer in contract["layers"])]


def _imports() -> dict[str, set[str]]:
    """Which packages each package imports, as import-linter sees it."""
    graph = grimp.build_graph("geocmer", "geocmer_cli", cache_dir=None)
    found: dict[str, set[str]] = {name: set() for layer, _ in _layers() for name in layer}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            pair = _package(importer), _package(imported)
            if pair[0] != pair[1] and pair[0] in found and pair[1] in found:
                found[pair[0]].add(pair[1])
    return found


def _package(module: str) -> str:
    top, _, rest = module.partition(".")
    return _CLI if top == "geocmer_cli" else rest.partition(".")[0]


def picture() -> str:
    """Draw the packages and their imports, without the arrows that follow from others, as SVG."""
    layers, uses = _layers(), _imports()
    reach: dict[str, set[str]] = {}
    for name in TopologicalSorter(uses).static_order():
        reach[name] = set(uses[name]).union(*(reach[used] for used in uses[name]))
    rows = [layer for layer, _ in layers]
    names = [name for row in rows for name in row]
    direct = {
        name: [other for other in names if other in uses[name] and not any(other in reach[via] for via in uses[name])]
        for name in names
    }
    return diagram.draw(rows, direct, "The packages of geocmer in their layers, with an arrow for each import")


def _path(name: str) -> Path:
    path = ROOT / "cli" if name == _CLI else ROOT / "geocmer" / name
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _modules(name: str) -> list[Path]:
    path = _path(name)
    if path.name != "__init__.py":
        return []
    return sorted({*path.parent.glob("*.py"), *path.parent.glob("*/__init__.py")} - {path}, key=_noun)


def _noun(path: Path) -> str:
    """The name of a module, or of a package within a package."""
    return path.parent.name if path.name == "__init__.py" else path.stem


def _summary(name: str) -> str:
    return _first_line(_path(name))


def _first_line(path: Path) -> str:
    """The first sentence of a module's docstring, its paragraph on one line, fit for a cell."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    first = re.split(r"(?<=\.)\s", " ".join(docstring.split("\n\n")[0].split()))[0]
    return first.rstrip(".").replace("|", "\\|")


def _link(name: str) -> str:
    return f"[`{name}`](#{name})" if _modules(name) else f"`{name}`"


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
