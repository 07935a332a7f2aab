"""Processes that tile with a fault at a named step, for the tests of what a rerun makes of it."""

from __future__ import annotations

import errno
import importlib
import os
import resource
import signal
from pathlib import Path
from typing import Any


def tile_with_fault(files: list[str], store: str, step: str, call: int, kind: str) -> None:
    """Tile rasters into a store.

    Args:
        files: the rasters.
        store: the store.
        step: "module:Name.attribute" of the function that the fault comes before.
        call: which call of it, from 1; for `disk full` the bytes that a file may have.
        kind: `kill`, `interrupt`, `failing` (one error of the disk) or `disk full` (every file stays short).
    """
    if kind == "disk full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (call, resource.RLIM_INFINITY))
    else:
        _break(step, call, kind)
    from geocmer.ingest.pipeline import ingest
    from geocmer.ingest.tile_options import TileOptions
    from geocmer.store import Store

    opened = Store.open_or_create(store)
    for file in files:
        ingest(Path(file), opened, None, TileOptions(size=32))


def _break(step: str, call: int, kind: str) -> None:
    module, _, path = step.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    plain, calls = getattr(owner, name), 0

    def broken(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt if kind == "interrupt" else OSError(errno.ENOSPC, "No space left on device")
        return plain(*args, **kwargs)

    setattr(owner, name, broken)
