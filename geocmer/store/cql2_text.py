"""Conditions as text -> the tree of OGC CQL2 (OGC 21-065r2), as CQL2 JSON has it.

`cql2` reads the text. What geocmer's conditions allowed before is still read: names with hyphens (`built-up`, so a
minus needs blanks around it), `==`, and numbers that begin or end with a point.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeAlias

from ..errors import InputError

Node: TypeAlias = Any
"""A part of CQL2 JSON: an operation with its arguments, a property, a geometry, a time, or a plain value."""

MAX_DEPTH = 50
"""Levels of brackets and nots; a person writes three, and a parser's stack holds some thousands."""
MAX_CHARACTERS = 100_000
"""Of a condition: a region in WKT belongs into `--region FILE`."""
_TOKEN = re.compile(
    r"(?P<quoted>\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*')|(?P<number>(?<![\w.])(?:\d+\.\d*|\.\d+|\d+)(?:e[+-]?\d+)?(?!\w))"
    r"|(?P<name>[^\W\d][\w-]*)|(?P<equal>==)|(?P<bracket>[()])",
    re.IGNORECASE,
)
_WHERE = re.compile(r"-->\s*(\d+):(\d+)")
"""Line and column in the parser's messages."""


def read_tree(text: str) -> Node:
    """Read a condition.

    Raises:
        InputError: it is no CQL2 text.
    """
    import cql2

    if len(text) > MAX_CHARACTERS:
        raise condition_error(text, f"has more than {MAX_CHARACTERS} characters; give a large region as --region FILE")
    _check_depth(text)
    plain = " ".join(_TOKEN.sub(_modern, text).split("\n"))
    try:
        return cql2.parse_text(plain).to_json()
    except (cql2.ParseError, cql2.ValidationError, ValueError) as error:
        raise condition_error(text, _reason(plain, str(error))) from None


def condition_error(text: str, what: str) -> InputError:
    """Make the error for a condition that cannot be read or met."""
    text = text if len(text) <= 200 else f"{text[:200]}..."
    return InputError(f"condition {text!r}: {what}; write for instance \"built_up > 0.3 and category = 'forest'\"")


def _modern(token: re.Match[str]) -> str:
    """Write a token of today's conditions as CQL2 has it."""
    if token["equal"]:
        return "="
    if number := token["number"]:
        value = Decimal(number)
        return format(value, "f") if abs(value.adjusted()) < 30 else number  # in geometries it reads no exponents
    if (name := token["name"]) and ("-" in name or name[0] == "_"):
        return f'"{name}"'
    return token[0]


def _check_depth(text: str) -> None:
    depth = nots = 0
    for token in _TOKEN.finditer(text):
        word = token[0].casefold()
        depth += (word == "(") - (word == ")")
        nots = nots + 1 if word == "not" else nots if word == "(" else 0
        if depth + nots > MAX_DEPTH:
            raise condition_error(text, f"has more than {MAX_DEPTH} brackets and nots within each other")


def _reason(plain: str, message: str) -> str:
    """Tell in a line what a parser's message of several says."""
    found = _WHERE.search(message)
    rest = plain[int(found[2]) - 1 :].strip() if found else plain
    if not rest:
        return "ends where something was expected"
    return f"cannot read {rest[:20] + '...' * (len(rest) > 20)!r}"
