"""Runs the geocmer command, which lives in an environment of its own: no torch inside QGIS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from queue import Empty, Queue
from threading import Thread
from typing import IO

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import QgsProcessingException, QgsProcessingFeedback

SETTING = "GEOCMER_COMMAND"
"""Name of the setting in Processing's options, and of the environment variable that stands in for it."""
GRACE_SECONDS = 20
"""How long an interrupted command may take to leave everything in order before it is killed."""
_OF_QGIS = ("PYTHONHOME", "PYTHONPATH", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "LD_LIBRARY_PATH")
"""Variables that QGIS sets for its own Python and GDAL; another environment's would break on them."""


def find_command() -> str:
    """Return the path of the geocmer command: of the setting, the environment variable, or the PATH.

    Raises:
        QgsProcessingException: there is none there.
    """
    named = ProcessingConfig.getSetting(SETTING) or os.environ.get(SETTING) or "geocmer"
    found = shutil.which(named)
    if found is None:
        raise QgsProcessingException(
            f"There is no geocmer command at {named!r}. Install it in an environment of its own (pip install"
            " geocmer) and give its path in Settings > Options > Processing > Providers > geocmer."
        )
    return found


def run(arguments: list[str], feedback: QgsProcessingFeedback) -> list[str]:
    """Run geocmer; return the lines it printed. Its messages go to the log while it runs, and Cancel interrupts it.

    Raises:
        QgsProcessingException: it failed, with its own words, or it was cancelled.
    """
    command = [find_command(), *arguments]
    feedback.pushCommandInfo(" ".join(_quoted(word) for word in command))
    environment = {name: value for name, value in os.environ.items() if name not in _OF_QGIS} | {"PYTHONUTF8": "1"}
    hidden = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        encoding="utf-8", errors="replace", creationflags=hidden,
    )  # fmt: skip
    with process:
        printed, messages = _follow(process, feedback)
    if process.returncode:
        errors = [line for line in messages if line.startswith("error")] or messages[-3:]
        raise QgsProcessingException("\n".join(errors) or f"geocmer ended with code {process.returncode}")
    return printed


def _follow(process: subprocess.Popen[str], feedback: QgsProcessingFeedback) -> tuple[list[str], list[str]]:
    """Pass messages on as they come; return the lines of stdout and of stderr.

    Raises:
        QgsProcessingException: it was cancelled.
    """
    lines: Queue[tuple[bool, str]] = Queue()
    threads = [
        Thread(target=_read, args=(stream, is_message, lines), daemon=True)
        for stream, is_message in ((process.stdout, False), (process.stderr, True))
    ]
    for thread in threads:
        thread.start()
    printed: list[str] = []
    messages: list[str] = []
    while any(thread.is_alive() for thread in threads) or not lines.empty():
        if feedback.isCanceled():
            _stop(process)
            raise QgsProcessingException("Cancelled. What was finished is kept; run it again to go on.")
        try:
            is_message, line = lines.get(timeout=0.1)
        except Empty:
            continue
        (messages if is_message else printed).append(line)
        if is_message:
            (feedback.pushWarning if line.startswith("warning") else feedback.pushInfo)(line)
    return printed, messages


def _read(stream: IO[str], is_message: bool, lines: Queue[tuple[bool, str]]) -> None:
    for line in stream:
        if line.strip():
            lines.put((is_message, line.rstrip()))


def _stop(process: subprocess.Popen[str]) -> None:
    """Interrupt as Ctrl-C does, which leaves a store in order; kill what does not listen."""
    process.terminate() if sys.platform == "win32" else process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word or not word else word
