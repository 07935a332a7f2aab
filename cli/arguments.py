"""Arguments as shells and people hand them over: before Click reads them, and what it alone would let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand

_NUMBER = re.compile(r"[\[(]?[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?,?[\])]?", re.IGNORECASE)
_RAY_ADDRESS = re.compile(r"local|auto|ray://\S+|[\w.-]+:\d+")
_EXCLUSIVE = {
    "every": ("k",),
    "all_dates": ("keep",),
    "no_cache": ("cache_dir",),
    "no_embed": ("model", "adapter", "views", "device"),
}
"""Parameters of which one says what the others would say otherwise, or makes them mean nothing."""
_FILE_OPTIONS = ("style", "thumbnails")
"""Parameters that say how a file is written."""


class Command(TyperCommand):
    """A command that refuses what would be dropped in silence.

    That is an empty value, which an unset shell variable leaves, a second value of an option that has one, and options
    that do not go together.

    It takes `--storage-option` after its name too, where people write it; the option is one of `geocmer` itself. Where
    it takes `--model`, it takes `--weights` beside it.

    Attributes:
        help_words: what its help lists, as the formats that there are; collected when somebody reads it.
    """

    help_words: Mapping[str, Callable[[], str]] = {}
    _help: str | None = None

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        for at, parameter in enumerate(self.params):
            if parameter.name == "model":
                weights: Any = copy(parameter)
                weights.name, weights.opts, weights.metavar = "weights", ["--weights"], "FILE"
                weights.help = "Weights of the open_clip architecture that --model names, as RemoteCLIP-ViT-B-32.pt."
                self.params.insert(at + 1, weights)
                break

    def _read_help(self) -> str | None:
        text = self._help
        for word, listed in self.help_words.items():
            text = text and text.replace(word, listed())
        return text

    def _set_help(self, text: str | None) -> None:
        self._help = text

    help = property(_read_help, _set_help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the four numbers of a box, and a model with its weights; refuse what would be dropped in silence.

        Raises:
            InputError: a value is empty, is no UTF-8, or stands beside another that it contradicts; weights without an
                architecture.
        """
        from geocmer.errors import InputError

        for text in args:
            if any("\ud800" <= sign <= "\udfff" for sign in text):
                shown = text.encode("utf-8", "replace").decode()
                raise InputError(f"{shown!r} is not UTF-8; set the terminal to UTF-8 and write it again")
        args, options = _without_storage_options(args)
        use_storage_options(options)
        args = list(_addressed_ray(list(_joined_boxes(args))))
        if not ctx.resilient_parsing:  # as it is where a shell completes a line
            self._refuse(list(self._given(ctx, args)))
        rest: list[str] = super().parse_args(ctx, args)
        if (weights := ctx.params.pop("weights", None)) is not None:
            from geocmer.models.families import with_weights

            ctx.params["model"] = with_weights(ctx.params["model"], weights)
        return rest

    def _given(self, ctx: Any, args: list[str]) -> Iterator[tuple[Any, str, str]]:
        """Yield each option as its parameter, its name and its value; an argument has no parameter and no name."""
        named = {name: one for one in self.get_params(ctx) if one.param_type_name == "option" for name in one.opts}
        words = iter(args)
        for word in words:
            name, mark, value = word.partition("=")
            if word == "--":
                yield from ((None, "", rest) for rest in words)
            elif mark and name in named:
                yield named[name], name, value
            elif word in named:
                flag = getattr(named[word], "is_flag", False)
                yield named[word], word, "yes" if flag else next(words, "a value that Click misses")
            elif word[:2] in named and not word.startswith("--"):
                yield named[word[:2]], word[:2], word[2:]
            elif not word.startswith("-") or word == "-":
                yield None, "", word

    def _refuse(self, given: list[tuple[Any, str, str]]) -> None:
        """Refuse what would be dropped in silence.

        Raises:
            InputError: a value is empty, given twice, or contradicts another.
        """
        from geocmer.errors import InputError

        seen: dict[str, tuple[str, str]] = {}
        for parameter, name, value in given:
            if not value.strip():
                what = name or "an argument"
                raise InputError(f"{what} is empty, as an unset variable would be; give a value, or leave it out")
            if parameter is None:
                continue
            _, before = seen.setdefault(parameter.name, (name, value))
            if before != value and not parameter.multiple:
                several = "; for several write --where \"category in ('forest', 'water')\"" * (name == "--category")
                raise InputError(f"{name} was given twice, {before!r} and {value!r}; give it once{several}")
        for one, others in _EXCLUSIVE.items():
            for other in others:
                if one in seen and other in seen:
                    raise InputError(f"{seen[one][0]} and {seen[other][0]} do not go together; leave one of them out")
        for one in _FILE_OPTIONS:
            if one in seen and "output" not in seen and "batch" not in seen:
                raise InputError(f"{seen[one][0]} needs a file to be written; name it with -o FILE")


def use_storage_options(texts: Sequence[str]) -> None:
    """Reach stores on object storage by options as "KEY=VALUE"."""
    if texts:
        from geocmer.store.address import parse_storage_options, set_storage_options

        set_storage_options(parse_storage_options(texts))


def _without_storage_options(args: list[str]) -> tuple[list[str], list[str]]:
    """Part arguments from the values of `--storage-option` among them."""
    rest: list[str] = []
    options: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--storage-option":
            options.append(next(words, ""))
        elif word.startswith("--storage-option="):
            options.append(word.partition("=")[2])
        else:
            rest.append(word)
    return rest, options


def _addressed_ray(args: list[str]) -> Iterator[str]:
    """Give `--ray` its address, `local` where none follows: the next word is a scene then."""
    for text, following in zip(args, [*args, ""][1:], strict=True):
        yield text
        if text == "--ray" and not _RAY_ADDRESS.fullmatch(following):
            yield "local"


def _joined_boxes(args: list[str]) -> Iterator[str]:
    """Make one value of `--bbox -79 35 -78 36`, as GDAL's tools take it."""
    at = 0
    while at < len(args):
        yield args[at]
        at += 1
        numbers = args[at : at + 4] if args[at - 1] == "--bbox" else []
        if len(numbers) == 4 and all(_NUMBER.fullmatch(number) for number in numbers):
            yield ",".join(number.strip("[](),") for number in numbers)
            at += 4


def check_sizes(text: str) -> str:
    """Refuse what are no sides of tiles, as wrong usage."""
    if not re.fullmatch(r"\s*[1-9]\d*\s*(,\s*[1-9]\d*\s*)*", text, re.ASCII):
        raise BadParameter(f"{text!r} is no side in pixels, nor several with commas; give for instance 224,448")
    return text
