"""Tables within pages that are made from the code, each between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from geocmer.export.format import known_formats
from geocmer.models.families import FAMILIES
from geocmer.relations.kinds import table


def families() -> Iterable[str]:
    """The forms of `--model`."""
    yield "| `--model` | |"
    yield "|---|---|"
    for family in FAMILIES.values():
        yield f"| `{family.form}` | {family.help} |"


def kinds() -> Iterable[str]:
    """The kinds of relations."""
    yield from table().splitlines()


def formats() -> Iterable[str]:
    """The formats of `-o`."""
    yield "| suffix | format | good for |"
    yield "|---|---|---|"
    for one in known_formats().values():
        yield f"| `{one.suffix}` | {one.name} | {one.good_for} |"


def page(name: str, lines_of: Callable[[], Iterable[str]]) -> str:
    """The page of this name, below docs/, with its table as it should be."""
    begin, end = f"<!-- {lines_of.__name__} -->\n", f"<!-- /{lines_of.__name__} -->\n"
    before, found, rest = (Path(__file__).parent / name).read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(
            f"{name}: no place for the table; write {begin.strip()} and {end.strip()} on lines of their own"
        )
    lines = "".join(line + "\n" for line in lines_of())
    return f"{before}{begin}{lines}{end}{after}"
