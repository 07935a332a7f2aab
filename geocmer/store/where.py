"""Conditions on the land cover under a tile: `built_up > 0.3 and not (water > 0.1)`.

A name is a class label of the store, written as it is in quotes, or with other signs than letters and digits as `_`;
the category word that a bundled legend gives to the label (`forest` for `Tree cover`) means it too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._files import bundled_file
from ..errors import InputError

Share = Callable[[str], NDArray[np.float64]]
"""From a name of the condition to the share of it under each tile, (n,)."""
Test = Callable[[Share], NDArray[np.bool_]]

MAX_DEPTH = 50
"""Levels of brackets and nots; a person writes three."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)|(?P<name>[^\W\d][\w-]*)"
    r"|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<sign><=|>=|==|!=|=|<|>|\(|\)))",
    re.IGNORECASE,
)
SHARE_TOLERANCE = 1e-6
"""Shares this near to each other are equal: quotients of pixel counts, summed where a name means several labels."""
_COMPARE: Mapping[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "<": lambda share, number: share < number - SHARE_TOLERANCE,
    "<=": lambda share, number: share <= number + SHARE_TOLERANCE,
    ">": lambda share, number: share > number + SHARE_TOLERANCE,
    ">=": lambda share, number: share >= number - SHARE_TOLERANCE,
    "=": lambda share, number: np.abs(share - number) <= SHARE_TOLERANCE,
    "==": lambda share, number: np.abs(share - number) <= SHARE_TOLERANCE,
    "!=": lambda share, number: np.abs(share - number) > SHARE_TOLERANCE,
}


@dataclass(frozen=True, slots=True)
class Shares:
    """A condition that was read. A tile without land cover meets none, whatever it says.

    Attributes:
        text: as the user wrote it.
        names: the classes it names.
    """

    text: str
    names: tuple[str, ...]
    _test: Test = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Shares:
        """Read comparisons of a class with a number, joined by `and`, `or`, `not` and brackets.

        Raises:
            InputError: it is not such a condition.
        """
        parser = _Parser(text)
        test = parser.either()
        if parser.at < len(parser.tokens):
            raise parser.error(f"did not expect {parser.tokens[parser.at][1]!r}")
        return cls(text, tuple(dict.fromkeys(parser.names)), test)

    def labels(self, present: Iterable[str]) -> dict[str, frozenset[str]]:
        """The labels that each name means.

        Args:
            present: every label in the store.

        Raises:
            InputError: a name means none of them.
        """
        present = sorted(set(present))
        found = {}
        for name in self.names:
            exact = {label for label in present if label == name}
            plain = {
                label for label in present if _plain(name) in {_plain(w) for w in (label, *_words().get(label, ()))}
            }
            found[name] = frozenset(exact or plain)
            if not found[name]:
                there = ", ".join(_plain(label) or repr(label) for label in present)
                raise InputError(
                    f"no tile has a land-cover class {name!r}; the store knows: {there}"
                    if there
                    else f"class {name!r} cannot be asked for: no tile has land cover; tile with --landcover first"
                )
        return found

    def holds(self, share: Share) -> NDArray[np.bool_]:
        """Which tiles meet the condition, (n,)."""
        return self._test(share)


class _Parser:
    """Recursive descent: `or` binds weakest, then `and`, then `not`."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.names: list[str] = []
        self.tokens: list[tuple[str, str]] = []
        end = len(text.rstrip())
        start = 0
        while start < end:
            match = _TOKEN.match(text, start)
            if match is None:
                raise self.error(f"cannot read {text[start:].strip()[:20]!r}")
            kind = str(match.lastgroup)
            self.tokens.append(("name" if kind in ("double", "single") else kind, match[kind]))
            if kind == "name" and match[kind].lower() in ("and", "or", "not"):
                self.tokens[-1] = ("word", match[kind].lower())
            start = match.end()

    def error(self, what: str) -> InputError:
        text = self.text if len(self.text) <= 200 else f"{self.text[:200]}..."
        return InputError(f"condition {text!r}: {what}; write for instance 'built_up > 0.3 and water <= 0.1'")

    def either(self) -> Test:
        tests = [self._both()]
        while self._next("word", "or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda share: np.logical_or.reduce([test(share) for test in tests])

    def _both(self) -> Test:
        tests = [self._one()]
        while self._next("word", "and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda share: np.logical_and.reduce([test(share) for test in tests])

    def _one(self) -> Test:
        if self._next("word", "not"):
            inner = self._nested(self._one)
            return lambda share: ~inner(share)
        if self._next("sign", "("):
            inner = self._nested(self.either)
            if not self._next("sign", ")"):
                raise self.error("a bracket is not closed")
            return inner
        name = self._need("name", "a class")
        sign = self._need("sign", "a comparison")
        if sign not in _COMPARE:
            raise self.error(f"{name!r} needs a comparison")
        number = float(self._need("number", "a share from 0 to 1"))
        if number > 1:
            raise self.error(f"{number:g} is more than the whole tile; shares go from 0 to 1")
        self.names.append(name)
        return lambda share: _COMPARE[sign](share(name), number)

    def _nested(self, parse: Callable[[], Test]) -> Test:
        """Parse what stands in a bracket or after `not`; each level is a call, of which Python has not many."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"has more than {MAX_DEPTH} brackets and nots within each other")
        inner = parse()
        self.depth -= 1
        return inner

    def _next(self, kind: str, text: str) -> bool:
        there = self.at < len(self.tokens) and self.tokens[self.at] == (kind, text)
        self.at += there
        return there

    def _need(self, kind: str, what: str) -> str:
        if self.at >= len(self.tokens):
            raise self.error(f"ends where {what} was expected")
        found, text = self.tokens[self.at]
        if found != kind:
            raise self.error(f"expected {what} before {text!r}")
        self.at += 1
        return text


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")


@lru_cache(maxsize=1)
def _words() -> dict[str, set[str]]:
    """Label -> its category words in the legends that ship with geocmer."""
    words: dict[str, set[str]] = {}
    for entry in bundled_file("legends").iterdir():
        for item in json.loads(entry.read_text("utf-8"))["classes"]:
            words.setdefault(item["label"], set()).add(item.get("category", item["label"]))
    return words
