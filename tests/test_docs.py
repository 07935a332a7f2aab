"""The documents keep to the code: the CLI reference, the snippets, the imports, the start of the command."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _command() -> Any:
    (point,) = entry_points(group="console_scripts", name="geocmer")
    return point


@pytest.mark.parametrize("args", [["--help"], ["tile", "--help"], ["search", "--help"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['geocmer', *{args!r}]\n"
        f"from {_command().module} import {_command().attr} as main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'lancedb', 'geopandas', 'transformers', 'open_clip'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


def test_every_command_shows_an_example() -> None:
    from typer.main import get_command

    root: Any = get_command(_command().load().__globals__["app"])
    assert set(root.commands) == {"tile", "search", "train", "evaluate", "embed", "export", "info", "doctor"}
    for name, command in root.commands.items():
        assert f"Example: geocmer {name}" in command.help


def test_the_cli_reference_is_the_live_help() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == _docs("cli").reference(), "run `python docs/cli.py`"


def test_every_model_family_is_documented() -> None:
    assert (ROOT / "docs" / "model.md").read_text() == _docs("families").page(), "run `python docs/cli.py`"


def test_every_training_setting_is_documented() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == _docs("settings").reference(), "run `python docs/cli.py`"
    assert "|  |" not in _docs("settings").reference(), "a field of TrainConfig has no docstring"


def _docs(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _commands_in_docs() -> list[str]:
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if page.name != "cli.md":
            found += re.findall(
                r"^(?: {4}|)geocmer ((?:tile|search|train|evaluate|embed|export|info|doctor) .*)$",
                page.read_text(),
                re.M,
            )
    return found


@pytest.mark.parametrize("line", _commands_in_docs())
def test_documented_commands_parse(line: str) -> None:
    import shlex

    from typer.main import get_command

    root: Any = get_command(_command().load().__globals__["app"])
    name, *args = shlex.split(line)
    root.commands[name].make_context(name, [a for a in args if a != "SCENE..."])


def test_python_in_the_docs_compiles_and_imports() -> None:
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
            tree = ast.parse(block)
            imports = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), str(page), "exec"), {})
