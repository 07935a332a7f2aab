"""The `geocmer` command in this process: what a shell sees, without the seconds that a process takes to start."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from typing import Any
from unittest.mock import patch

Run = Callable[..., tuple[int, str, str]]


def run(*arguments: object) -> tuple[int, str, str]:
    """Run the command through its entry point; return exit code, stdout, stderr."""
    (point,) = entry_points(group="console_scripts", name="geocmer")
    main = point.load()
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", ["geocmer", *map(str, arguments)]):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, *(stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[return-value]


def lines(*arguments: object) -> list[dict[str, Any]]:
    """Run a command that ends well; return the JSON lines that it prints."""
    code, out, err = run(*arguments)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]
