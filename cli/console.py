"""What is said on stderr: notes, progress bars. Data goes to stdout and never through here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def printable(text: str) -> str:
    """Replace control characters: a name in a file must not steer the terminal that shows it."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: str) -> None:
    """Print a note for the person to stderr, in one line; where it cannot be written, the work goes on without it."""
    with suppress(OSError):
        print(printable(" ".join(text.split("\n"))), file=sys.stderr)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr, on a terminal only; yield the function to call with (done, total)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s" if speed < 100 else f"{speed:.0f}/s")

    done, name = MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    columns = name, BarColumn(), done, RateColumn(), TimeRemainingColumn(elapsed_when_finished=True)
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
