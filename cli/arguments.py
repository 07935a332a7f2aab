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


class Command(TyperCommand):
    """A command that refuses an empty value, which an unset shell variable leaves: it would be no filter at all.

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
        """Join the four numbers of a box, and a model with its weights; refuse empty values.

        Raises:
            InputError: an option has an empty value, or bytes that are no UTF-8; weights without an architecture.
        """
        from geocmer.errors import InputError

        for text in args:
            if any("\ud800" <= sign <= "\udfff" for sign in text):
                shown = text.encode("utf-8", "replace").decode()
                raise InputError(f"{shown!r} is not UTF-8; set the terminal to UTF-8 and write it again")
        for name in self._empty(ctx, args):
            raise InputError(f"{name} is empty, as an unset variable would be; give a value, or leave the option out")
        args, options = _without_storage_options(args)
        use_storage_options(options)
        rest: list[str] = super().parse_args(ctx, list(_addressed_ray(list(_joined_boxes(args)))))
        if (weights := ctx.params.pop("weights", None)) is not None:
            from geocmer.models.families import with_weights

            ctx.params["model"] = with_weights(ctx.params["model"], weights)
        return rest

    def _empty(self, ctx: Any, args: list[str]) -> Iterator[str]:
        valued = {
            name
            for parameter in self.get_params(ctx)
            if parameter.param_type_name == "option" and not getattr(parameter, "is_flag", False)
            for name in parameter.opts
        }
        for before, text in zip(["", *args], args, strict=False):
            if text == "--":
                return
            name, mark, value = text.partition("=")
            if (mark and name in valued and not value.strip()) or (before in valued and not text.strip()):
                yield name if mark else before


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
