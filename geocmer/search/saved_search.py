"""Saved searches: a question that is kept in a store, and the scenes that it has been asked of.

What is new since the last look are hits in scenes that were completed after it. A scene counts when its last tile is in
the store, so each is looked at once, and none that is removed and tiled again is new.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from ..errors import InputError
from ..store.records import Records
from ..store.store import Store

KIND = "saved search"
"""Of its record in a store."""
FORMAT = "geocmer-search-1"
"""Names the form of the JSON text."""
ARGUMENTS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("like", "minus", "more", "less"), (list,)),
    **dict.fromkeys(("bbox", "region", "category", "since", "until", "gsd", "where", "keep"), (str,)),
    **dict.fromkeys(("min_score", "min_probability", "category_prior"), (int, float)),
    "literal": (bool,), "k": (int, type(None)),
}  # fmt: skip
"""Arguments of a search that are kept -> the types that their values may have."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A question that is kept.

    Attributes:
        name: it is asked by.
        texts: what is looked for.
        arguments: of `Collection.search`, as JSON holds them.
        seen: ids of the scenes that were complete at the last look.
        looked: when that was, ISO 8601, UTC.
    """

    name: str
    texts: tuple[str, ...]
    arguments: Mapping[str, Any]
    seen: frozenset[str] = field(repr=False)
    looked: str

    def asked_of(self, scenes: frozenset[str]) -> SavedSearch:
        """Return it as it is after a look at these scenes, now."""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        return replace(self, seen=self.seen | scenes, looked=now)

    def to_json(self) -> str:
        """Write it as a line of JSON, as a store keeps it."""
        values = {**asdict(self), "texts": list(self.texts), "seen": sorted(self.seen)}
        return json.dumps({"format": FORMAT, **values}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote, and believe none of it unread.

        Raises:
            ValueError: it is something else.
        """
        record = json.loads(text)
        if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
            raise ValueError("another form")
        if set(record) != {one.name for one in fields(cls)}:
            raise ValueError("other fields")
        arguments = record["arguments"]
        if not isinstance(arguments, dict) or not set(arguments) <= set(ARGUMENTS):
            raise ValueError("other arguments")
        for name, value in arguments.items():
            if type(value) not in ARGUMENTS[name] or (type(value) is list and not all(type(v) is str for v in value)):
                raise ValueError(f"{name} is {value!r}")
        for name in ("texts", "seen"):
            if type(record[name]) is not list or not all(type(value) is str for value in record[name]):
                raise ValueError(f"{name} is no list of texts")
        if type(record["name"]) is not str or type(record["looked"]) is not str:
            raise ValueError("no name or time")
        return cls(record["name"], tuple(record["texts"]), arguments, frozenset(record["seen"]), record["looked"])


def searches_of(store: Store) -> Records[SavedSearch]:
    """Open the saved searches of a store, by name."""
    return Records(
        store.path, KIND, SavedSearch.from_json, lambda name: " ".join(name.split()),
        "remove it with `geocmer watch {name} --remove`, then save it again",
    )  # fmt: skip


def write_search(store: Store, search: SavedSearch) -> None:
    """Write a saved search to a store, in place of any of its name."""
    searches_of(store).put(search.name, search.to_json())


def complete_scenes(store: Store) -> frozenset[str]:
    """List the ids of the scenes whose tiles are all in the store."""
    return frozenset(store.snapshot().uris)


def kept_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Bring arguments of a search to what JSON holds; those that are not given are left out.

    Raises:
        InputError: one cannot be kept.
    """
    kept: dict[str, Any] = {}
    for name, value in arguments.items():
        value = list(map(str, value)) if isinstance(value, list | tuple) and name != "bbox" else value  # noqa: PLW2901
        if (value is None and name != "k") or value in ([], False):
            continue
        if name not in ARGUMENTS or type(value) not in ARGUMENTS[name]:
            raise InputError(
                f"{name} {value!r} cannot be kept with a search; give it as on the command line, or leave it out"
            )
        kept[name] = value
    return kept
