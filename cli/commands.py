"""The sub-commands: what the list of commands says of each, and loading the one that is asked for.

A command is a function in the module of its name. `geocmer --help` imports none of them, and none imports another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from keyword import iskeyword
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from .arguments import Command
from .console import say

COMMANDS = {
    "tile": "Divide scenes into tiles, give each a scene category, embed and store it.",
    "import": "Import embeddings that others made, such as those of Major TOM, Clay, Tessera or Earth Genome.",
    "search": "Find the tiles that look most like the words, exactly, within a region.",
    "change": "Find places that show something in later pictures and not in earlier ones, or the reverse with --gone.",
    "concept": "Teach a store what you look for, by hits that you marked or areas that you drew.",
    "detect": "Find every place that shows a concept, or what words say: polygons with areas, or a raster.",
    "series": "Tell how probably one place shows something at each time it was seen.",
    "watch": "Say what is new for a saved search since the last look, after more scenes were tiled.",
    "serve": "Search a store in the browser: map, pictures, relations, dates, export.",
    "train": "Train an adapter on captioned images, or on the tiles of a store, and write it to a folder.",
    "calibrate": "Make the calibration of an adapter, by which hits have probabilities, and tell what it is worth.",
    "evaluate": "Measure how well images are found by words: in a captioned or labelled set, or in a store",
    "embed": "Embed the tiles of a store that have no vectors yet, or all of them again with another model.",
    "export": "Write the footprints of the whole store, or of a filtered part, for a GIS.",
    "report": "Write a page about a store or a training run, one HTML file to look at or to send.",
    "info": "Say what a store holds: scenes, tiles, categories, extent, and the encoder that made its vectors.",
    "remove": "Remove scenes and all their tiles from a store, unfinished scenes too.",
    "doctor": "Examine a store: what is missing, unfinished, damaged or in the way, and what fixes it.",
}
"""Name -> the first sentences of its help, in the order in which they are listed."""

INTERRUPTED = 130
"""Exit code, as shells give it."""


class CommandGroup(TyperGroup):
    """The group of all commands, each imported when it is first used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """List the names."""
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List what the commands do, and import none of them."""
        listed = copy.copy(self)
        listed.commands = {name: TyperCommand(name, help=text) for name, text in COMMANDS.items()}
        super(CommandGroup, listed).format_help(ctx, formatter)


class _Loaded(Mapping[str, Any]):
    """Name -> command."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def load(name: str) -> Any:
    """Import a command, or a group, whose module names its `PARTS`.

    In the help of a command each word of the module's `HELP_WORDS` stands for what the function returns.
    """
    function = f"{name}_" if iskeyword(name) else name
    module = import_module(f".{function}", __package__)
    if hasattr(module, "PARTS"):
        group = typer.Typer(name=name, help=module.HELP, no_args_is_help=True, add_completion=False)
        for part, of_part in module.PARTS.items():
            group.command(part, cls=Command)(_interruptible(of_part))
        return get_command(group)
    app = typer.Typer(add_completion=False)
    app.command(name, cls=Command)(_interruptible(getattr(module, function)))
    command: Any = get_command(app)
    command.help_words = getattr(module, "HELP_WORDS", {})
    return command


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Say how to go on after an interrupt: click would catch it first, and say nothing."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            say("interrupted; run the same command again to go on where it stopped")
            raise typer.Exit(INTERRUPTED) from None

    return run
