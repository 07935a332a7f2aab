"""The page on the command line, from its live help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from geocmer_cli.main import app
from typer.main import get_command


def page() -> str:
    """The whole page."""
    root: Any = get_command(app)
    pages = ["# Command line\n\nGenerated from `geocmer --help` by `python docs/generate.py`; a test keeps it so."]
    for name, command in _commands(root):
        context = click.Context(command, info_name=f"geocmer {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        pages += [f"## geocmer {name}", f"    geocmer {name} {usage}", _text(command.help)]
        rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        pages.append("\n".join(["| argument or option | |", "|---|---|", *rows]))
    return "\n\n".join(pages) + "\n"


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command, those of a group below its name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _text(help_: str | None) -> str:
    body, _, example = (help_ or "").strip().partition("Example: ")
    return f"{body.strip()}\n\n    {example.strip()}"


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{n}`" for n in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{(parameter.metavar or parameter.name).upper()}`"
    default = (
        ""
        if parameter.default in (None, False) or callable(parameter.default) or parameter.required
        else f" Default: `{parameter.default}`."
    )
    return f"| {names} | {(parameter.help or '').replace('|', '/')}{default} |"
