"""What is held of the project itself: declared versions, warnings, paths that documents name."""

from __future__ import annotations

import re
import tokenize
import tomllib
import warnings
from pathlib import Path

import pytest
from groups import GROUPS, LONG_FILES, group_of
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("module", ["geocmer.search.topk", "geocmer_cli.main", __name__])
@pytest.mark.parametrize("kind", [DeprecationWarning, FutureWarning, PendingDeprecationWarning])
def test_a_deprecation_that_our_own_lines_cause_is_an_error(module: str, kind: type[Warning]) -> None:
    with pytest.raises(kind):
        warnings.warn_explicit("old", kind, "file.py", 1, module=module)
    warnings.warn_explicit("old", kind, "file.py", 1, module="another_package.module")


def test_every_dependency_declares_its_floor() -> None:
    """Without one `make floors` would take the first version that ever was."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [Requirement(line) for line in project["dependencies"]]
    declared += [Requirement(line) for extra in project["optional-dependencies"].values() for line in extra]
    operators = {one.name: [each.operator for each in one.specifier] for one in declared if one.name != project["name"]}
    assert len(operators) > 50
    assert {name: found for name, found in operators.items() if found not in ([">="], ["=="])} == {}


def test_the_files_that_stay_with_one_worker_are_there_and_in_one_group() -> None:
    named = [name for files in GROUPS.values() for name in files] + [*LONG_FILES]
    there = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [there.count(name) for name in named] == [1] * len(named)
    assert len(set(named)) == len(named)
    assert group_of("tests/web/test_app.py") == group_of("tests/web/test_serve.py") != "tests/web/test_app.py"
    assert group_of("tests/test_habits.py") == "tests/test_habits.py"


def test_every_file_that_a_document_names_is_there() -> None:
    named = {}
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests" / "benchmarks").glob("*.md")]:
        if page.name == "CHANGELOG.md":  # names files of its day
            continue
        for path in re.findall(r"(?<![\w/.])(?:\.ci|cli|docs|examples|geocmer|tests)/[\w./-]*\w", page.read_text()):
            named[path] = page
    assert len(named) > 10
    assert {path: page for path, page in named.items() if not (ROOT / path).exists()} == {}


def test_names_in_the_code_keep_to_the_page_on_terms() -> None:
    """An image is called one in every name; see the page on terms."""
    wrong = set()
    for path in (path for folder in ("geocmer", "cli") for path in (ROOT / folder).rglob("*.py")):
        with path.open("rb") as file:
            names = {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}
        wrong |= {f"{path}: {name}" for name in names | {path.stem} if "picture" in name.casefold()}
    assert not wrong
