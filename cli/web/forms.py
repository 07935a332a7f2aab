"""What a person asked for on the page -> arguments of a search, and the command line that gives the same answer.

The same names everywhere: in the address of the page, in requests, as arguments of `Collection.search` and, with
dashes, as options of `geocmer search`. A browser names no file: a region is a box or WKT, `like` is the id of a tile.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from starlette.datastructures import QueryParams

from geocmer.errors import InputError
from geocmer.geometry.region import is_wkt
from geocmer.imagery.ids import is_id_start
from geocmer.search.criteria import CONDITIONS

from .given_images import PREFIX, GivenImages

DEFAULT_K = 100
MAX_K = 10_000
"""Hits on the page: what it draws fluently."""
KEEP = ("best", "newest", "all")


@dataclass(frozen=True, slots=True)
class SearchForm:
    """A search as the page asks for it; what is empty is not asked for.

    Attributes:
        q: the words.
        minus: words to keep away from.
        like: ids of tiles, or keys of pictures that were given.
        more: ids of tiles that show what is meant.
        less: ids of tiles that do not.
        bbox: west,south,east,north, degrees.
        region: WKT, WGS84.
        category: scene category.
        since: first day.
        until: last day.
        gsd: finest and coarsest resolution, LO..HI, metres.
        where: condition on the land cover.
        min_score: least score.
        min_probability: least probability, 0..1.
        k: how many hits.
        keep: which of the hits that show the same place: best, newest or all.
        literal: whether to look for no relation in the words.
        before: end of the earlier time of two, between which something changed; then `after` is given too.
        after: beginning of the later one.
        gone: whether the earlier pictures show it, and not the later ones.
    """

    q: str = ""
    minus: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    bbox: str = ""
    region: str = ""
    category: str = ""
    since: str = ""
    until: str = ""
    gsd: str = ""
    where: str = ""
    min_score: float | None = None
    min_probability: float | None = None
    k: int = DEFAULT_K
    keep: str = "best"
    literal: bool = False
    before: str = ""
    after: str = ""
    gone: bool = False

    @classmethod
    def of(cls, given: QueryParams) -> Self:
        """Read a query string; names that are none of a search's are the page's own.

        Raises:
            InputError: a value cannot be used.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            texts = [text.strip() for text in given.getlist(field.name) if text.strip()]
            if texts:
                values[field.name] = _READERS.get(field.name, lambda texts: texts[-1])(texts)
        form = cls(**values)
        tiles = [one for one in form.like if not one.startswith(PREFIX)]
        for tile in (*tiles, *form.more, *form.less):
            if not is_id_start(tile.lower()):
                raise InputError(f"{tile[:40]!r} is not a tile's id")
        if form.before or form.after:
            form._check_change()
        if form.region and not is_wkt(form.region):
            raise InputError(f"region {form.region[:40]!r} is not WKT; draw it on the map, or write POLYGON ((...))")
        return form

    def _check_change(self) -> None:
        if not (self.q and self.before and self.after):
            raise InputError(
                "a change needs words and two times: the end of the earlier and the beginning of the later"
            )
        given = [name for name in _NOT_OF_CHANGE if getattr(self, name) != getattr(SearchForm(), name)]
        if given or self.keep == "newest":
            raise InputError(f"{', '.join(given) or 'keep newest'} does not go with a change; leave it out")

    @property
    def title(self) -> str:
        """What is looked for, for people."""
        return self.q or "what a picture shows"

    def change_arguments(self) -> dict[str, Any]:
        """Return keyword arguments for `Collection.change`."""
        conditions = {name: getattr(self, name) or None for name in _CONDITIONS if name not in _NOT_OF_CHANGE}
        more = {"before": self.before, "after": self.after, "gone": self.gone, "keep": self.keep, "k": self.k}
        return {**conditions, **more, "min_score": self.min_score or 0.0}

    def arguments(self, images: GivenImages) -> tuple[list[str], dict[str, Any]]:
        """Return texts and keyword arguments for `Collection.search`.

        Raises:
            InputError: a picture is no longer kept.
        """
        conditions = {name: getattr(self, name) or None for name in _CONDITIONS}
        parts = {name: list(getattr(self, name)) for name in _PARTS}
        parts["like"] = [str(images.path(one)) if one.startswith(PREFIX) else one for one in self.like]
        more = {
            "min_score": self.min_score,
            "min_probability": self.min_probability,
            "k": self.k,
            "keep": self.keep,
            "literal": self.literal,
        }
        return [self.q] if self.q else [], {**conditions, **parts, **more}

    def command(self, store: str, images: GivenImages) -> str:
        """Write the command line that gives the same answer, for a POSIX shell; a picture by the name that it had."""
        words = ["geocmer", "change" if self.before else "search"]
        words += [self.q] if self.q and not self.q.startswith("-") else []  # else it would be read as an option
        words += ["--store", store]
        words += [f"--from={self.before}", f"--to={self.after}", *["--gone"] * self.gone] if self.before else []
        for name in (*_PARTS, *_CONDITIONS):
            value = getattr(self, name)
            words += [f"--{name}={images.name(one)}" for one in ((value,) if isinstance(value, str) else value) if one]
        least = {"score": self.min_score, "probability": self.min_probability}
        words += [f"--min-{name}={value:g}" for name, value in least.items() if value is not None]
        words += ["-k", str(self.k)]
        words += {"best": [], "newest": ["--keep=newest"], "all": ["--all-dates"]}[self.keep]
        words += ["--literal"] if self.literal else []
        words += ["--", self.q] if self.q.startswith("-") else []
        return shlex.join(words)


_NOT_OF_CHANGE = ("since", "until", "like", "more", "less", "minus", "min_probability", "literal")
_PARTS = ("like", "minus", "more", "less")
_CONDITIONS = tuple(name for name in CONDITIONS if name != "within")  # a browser names no file of points


def _number(name: str, texts: Sequence[str], kind: type) -> Any:
    try:
        return kind(texts[-1])
    except ValueError:
        raise InputError(f"{name} {texts[-1]!r} is not a number") from None


def _k(texts: Sequence[str]) -> int:
    k: int = _number("k", texts, int)
    if not 1 <= k <= MAX_K:
        raise InputError(f"k is {k}; the page shows 1 to {MAX_K} hits, `geocmer search --all` any number")
    return k


def _keep(texts: Sequence[str]) -> str:
    if texts[-1] not in KEEP:
        raise InputError(f"keep {texts[-1]!r} is none of {', '.join(KEEP)}")
    return texts[-1]


_READERS: dict[str, Any] = {
    **dict.fromkeys(("like", "minus", "more", "less"), tuple),
    "min_score": lambda texts: _number("min_score", texts, float),
    "min_probability": lambda texts: _number("min_probability", texts, float),
    "k": _k,
    "keep": _keep,
    **dict.fromkeys(("literal", "gone"), lambda texts: texts[-1] in ("1", "true")),
}
