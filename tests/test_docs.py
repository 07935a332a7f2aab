"""The documents keep to the code: the CLI reference, the snippets, the imports, the start of the command."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def _made() -> dict[str, Callable[[], str]]:
    """The pages that are made from the code, each with the function that makes it."""
    sys.path.insert(0, str(DOCS))
    try:
        pages: dict[str, Callable[[], str]] = importlib.import_module("generate").PAGES
    finally:
        sys.path.remove(str(DOCS))
    return pages


PAGES_MADE = _made()


def _command() -> Any:
    (point,) = entry_points(group="console_scripts", name="geocmer")
    return point


@pytest.mark.parametrize("args", [["--help"], ["tile", "--help"], ["search", "--help"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['geocmer', *{args!r}]\n"
        f"from {_command().module} import {_command().attr} as main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'lancedb', 'geopandas', 'transformers', 'open_clip', 'numpy', 'rasterio', 'shapely'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


def test_every_command_shows_an_example() -> None:
    from geocmer_cli.commands import COMMANDS
    from typer.main import get_command

    root: Any = get_command(_command().load().__globals__["app"])
    files = {path.stem.rstrip("_"): path.read_text() for path in (ROOT / "cli").glob("*.py")}
    assert set(root.commands) == {name for name, text in files.items() if f"Example: geocmer {name}" in text}
    for name, command in root.commands.items():
        assert f"Example: geocmer {name}" in command.help
        assert " ".join(command.help.split()).startswith(COMMANDS[name]), f"{name}: as in cli/commands.py"
        for below, part in getattr(command, "commands", {}).items():
            assert f"Example: geocmer {name} {below}" in part.help


@pytest.mark.parametrize("name", PAGES_MADE)
def test_a_page_made_from_the_code_is_the_live_one(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES_MADE[name](), "run `python docs/generate.py`"


def test_every_training_setting_is_documented() -> None:
    assert "|  |" not in PAGES_MADE["reference/settings.md"](), "a field of TrainConfig has no docstring"


def test_the_diagram_holds_every_import_and_no_other() -> None:
    """What can be reached along the arrows is what the imports reach, told by parsing the files."""
    arrows: dict[str, set[str]] = defaultdict(set)
    drawn = PAGES_MADE["concepts/architecture.svg"]()
    for importer, imported in re.findall(r'data-from="(\w+)" data-to="(\w+)"', drawn):
        arrows[importer].add(imported)
    imports: dict[str, set[str]] = defaultdict(set)
    for path in [*(ROOT / "geocmer").rglob("*.py"), *(ROOT / "cli").glob("*.py")]:
        inside = ("cli",) if path.parent == ROOT / "cli" else path.relative_to(ROOT / "geocmer").parts
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            if node.level == len(inside) and inside != ("cli",):  # from ..store.x import y, in a package
                names = [node.module] if node.module else [alias.name for alias in node.names]
            else:
                names = [(node.module or "").removeprefix("geocmer.")] if "geocmer." in (node.module or "") else []
            imports[inside[0].removesuffix(".py")] |= {name.split(".")[0] for name in names}
    imports.pop("__init__", None)
    assert imports["cli"], "the command line imports the library"
    assert imports["search"], "search imports packages below it"
    for name in imports:
        assert _reached(name, imports) == _reached(name, arrows), name


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        ahead += edges.get(ahead.pop(), set()) - found
        found.update(ahead)
    return found - {start}


def test_every_public_name_is_importable_and_in_the_reference() -> None:
    import geocmer

    page = PAGES_MADE["reference/api.md"]()
    for module in pkgutil.iter_modules(geocmer.__path__, "geocmer."):
        package = importlib.import_module(module.name)
        if not module.ispkg:
            continue
        assert package.__all__, f"{module.name} has no public names"
        for name in package.__all__:
            assert getattr(package, name) is not None
            assert f"::: {module.name}.{name}\n" in page or getattr(geocmer, name, None) is getattr(package, name)


def test_a_term_has_one_word() -> None:
    """No page and no help uses a word that the page on terms replaces by another."""
    rows = re.findall(r"^\| .* \| .* \| .* \| ([a-z, ]+) \|$", (DOCS / "concepts" / "terms.md").read_text(), re.M)
    replaced = {word for row in rows for word in row.split(", ")} - {"not"}
    assert replaced
    for page in PAGES:
        if page.name not in ("terms.md", "api.md"):
            words = set(re.findall(r"[a-z-]+", page.read_text().lower()))
            assert not words & replaced, page


def _commands_in_docs() -> list[str]:
    from geocmer_cli.commands import COMMANDS

    found = []
    for page in PAGES:
        if page.name != "cli.md":
            text = re.sub(r" \\\n *", " ", page.read_text())  # a command goes on in the next line
            found += re.findall(rf"^(?: {{4}}|)geocmer ((?:{'|'.join(COMMANDS)}) .*)$", text, re.M)
    return found


@pytest.mark.parametrize("line", _commands_in_docs())
def test_documented_commands_parse(line: str) -> None:
    import shlex

    from typer.main import get_command

    root: Any = get_command(_command().load().__globals__["app"])
    name, *args = shlex.split(line)
    while hasattr(root.commands[name], "commands"):
        root, (name, *args) = root.commands[name], args
    root.commands[name].make_context(name, [a for a in args if a != "SCENE..."])


def test_python_in_the_docs_compiles_and_imports() -> None:
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
            tree = ast.parse(block)
            imports: list[ast.stmt] = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), str(page), "exec"), {})


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.S)


def test_the_recipe_for_a_format_writes_hits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hits import HITS

    from geocmer.export import format as formats
    from geocmer.export import write

    (recipe,) = (block for block in _blocks("guides/how-to-add.md", "python") if "FORMATS" in block)
    names: dict[str, Any] = {"Format": formats.Format, "Path": Path}
    exec(f"from __future__ import annotations\n{recipe}", names)
    (added,) = names["FORMATS"]
    known = formats.known_formats()
    monkeypatch.setattr(formats, "known_formats", lambda: {**known, added.suffix: added})
    assert write(HITS, tmp_path / f"hits{added.suffix}") == len(HITS)
    rows = [line.split() for line in (tmp_path / f"hits{added.suffix}").read_text().splitlines()]
    assert [row[2] for row in rows] == [hit.id for hit in HITS]
    assert [float(row[1]) for row in rows] == pytest.approx([hit.geometry.centroid.y for hit in HITS], abs=1e-6)


def test_the_recipe_for_a_legend_is_one(tmp_path: Path) -> None:
    from geocmer.landcover import Legend

    (recipe,) = _blocks("guides/how-to-add.md", "json")
    (tmp_path / "mine.json").write_text(recipe)
    legend = Legend.load(tmp_path / "mine.json")
    assert {code: one.category for code, one in legend.classes.items()} == {1: "forest", 2: "water"}
    assert legend.nodata == {0}


def test_the_recipe_for_a_relation_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from geocmer.relations import kinds
    from geocmer.relations.parser import parse

    (recipe,) = (block for block in _blocks("guides/how-to-add.md", "python") if "Kind(" in block)
    names: dict[str, Any] = {"Kind": kinds.Kind}
    exec(recipe, names)
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, names["OPPOSITE"]))
    (clause,) = parse("shop across from church").clauses
    assert (clause.kind, clause.concept) == (names["OPPOSITE"], "church")
