"""Warnings of the libraries underneath, as notes: GDAL's and Python's, one line each, and each said once."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .console import say

_LOGGERS = ("rasterio", "pyogrio")
"""Where GDAL's messages arrive."""
_GDAL_CODE = re.compile(r"^CPLE_\w+ in ")


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Say warnings as notes until the block ends, in place of the lines of Python and of logging.

    Only warnings: an error is raised as well, and is said then.
    """
    printed: set[str] = set()

    def note(text: str) -> None:
        line = _GDAL_CODE.sub("", text.strip()).split("\n")[0]
        if line and line not in printed:
            printed.add(line)
            say(f"note: {line}")

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        note(str(message))

    handler, before = _Notes(note), [(log, log.propagate, log.level) for log in map(logging.getLogger, _LOGGERS)]
    for log, *_ in before:
        log.addHandler(handler)
        log.propagate = False
        log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        for log, propagate, level in before:
            log.removeHandler(handler)
            log.propagate, log.level = propagate, level


class _Notes(logging.Handler):
    """Hands on the text of warnings."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a warning."""
        if record.levelno == logging.WARNING:
            self._note(record.getMessage())
