"""Which models and adapters were named here by the user: what only a file names is loaded only if it is one of them.

A store or an adapter that somebody else made names the model it belongs to. Loading that unasked would let its maker
choose what geocmer downloads, reads and runs. The bundled model is always known; any other is known once it was named
with `--model` or `--adapter`, or to `Encoder.load`, on this computer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .._files import write_atomically
from ..errors import ModelError
from .families import family_of

LOCK_SECONDS = 5
"""How long to wait for another process that notes something."""


def remember(model: str, adapter: str = "") -> None:
    """Note that a user named a model, and an adapter; nothing is said where the note cannot be kept."""
    remember_names(_keys(model, adapter))


def is_known(model: str, adapter: str = "") -> bool:
    """Return whether a model and an adapter are bundled, or were named here before."""
    keys = _keys(model, adapter)
    return not keys or known_names().issuperset(keys)


def require_known(model: str, adapter: str, source: str) -> None:
    """Refuse a model or an adapter that only a file names.

    Args:
        model: as the file names it.
        adapter: folder, or "" for none.
        source: the file, for the message.

    Raises:
        ModelError: it is neither bundled, nor was it named here before.
    """
    if not is_known(model, adapter):
        options = f"--model {model}" + (f" --adapter {adapter}" if adapter else "")
        raise ModelError(
            f"{source} names a model that was not used here before; if you trust it, name it yourself, once: {options}"
        )


def _keys(model: str, adapter: str) -> list[str]:
    """Return what is to be known of a model and an adapter: nothing of those that ship with geocmer."""
    family = family_of(model)
    keys = [] if family.ships else [f"model {family.identity(model)}"]
    return [*keys, f"adapter {Path(adapter).resolve()}"] if adapter else keys


def remember_names(names: Iterable[str]) -> None:
    """Note what a user named, beside the models; nothing is said where the note cannot be kept."""
    names = set(names)
    if names <= known_names():
        return
    from filelock import FileLock

    file = _file()
    with suppress(OSError):  # also that of a lock that is held for ever
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=LOCK_SECONDS):  # others note theirs at the same time
            write_atomically(file, json.dumps(sorted(known_names() | names), indent=1))


def known_names() -> set[str]:
    """Return what a user named on this computer."""
    try:
        return {str(key) for key in json.loads(_file().read_text("utf-8"))}
    except (OSError, ValueError, TypeError, RecursionError):  # none yet, or not ours any more: nothing is known
        return set()


def _file() -> Path:
    import platformdirs

    return platformdirs.user_state_path("geocmer") / "known-models.json"
