"""What becomes of stdout: a reader that went away ends the command in silence, a full disk in one line."""

from __future__ import annotations

import os
import sys
from typing import Any

from geocmer.errors import GeocmerError


class ReaderGoneError(Exception):
    """Whoever read stdout has closed it, as `head` does once it has enough. No error of the user's."""


class OutputError(GeocmerError):
    """Stdout cannot be written."""


class GuardedStdout:
    """Stdout whose failures are `ReaderGoneError` and `OutputError`, so that they are told from all others."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> GuardedStdout:
        """The stream of bytes underneath, with the same guard."""
        return GuardedStdout(self._stream.buffer)

    def write(self, text: str | bytes) -> int:
        """Write, as the stream does."""
        return int(self._guarded(self._stream.write, text))

    def flush(self) -> None:
        """Flush, as the stream does."""
        self._guarded(self._stream.flush)

    def _guarded(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except BrokenPipeError as error:
            raise ReaderGoneError from error
        except OSError as error:
            raise OutputError(f"stdout cannot be written: {error.strerror or error}; write a file with -o") from error


def guard_stdout() -> None:
    """Put the guard before stdout. What its encoding lacks is written with a backslash, as on stderr."""
    if sys.stdout is None:  # closed by whoever started us: what is written is lost, which has to be said
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123  # to be read: writing fails
    if not isinstance(sys.stdout, GuardedStdout):
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        sys.stdout = GuardedStdout(sys.stdout)


def discard_stdout() -> None:
    """Drop what is still to be written, or Python would try it once more at the end and complain."""
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
    except OSError:  # there is no such file underneath
        pass
