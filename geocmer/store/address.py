"""How people name a store -> where it is: a folder, or an object store that LanceDB reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import StoreError

_OPTIONS: dict[str, str] = {}
"""See `set_storage_options`. A process has one set, as it has one set of GDAL's and of credentials."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def store_address(path: str | Path) -> str:
    """Bring the name of a store into the one form that everything else takes.

    `~` is the home folder, `file://` names a folder, `s3://` and the like an object store. Anything else is a folder,
    also where there is a colon in its name, which LanceDB would take for a scheme.

    Raises:
        StoreError: the name is empty, or a `file://` address names another machine.
    """
    text = str(path)
    if not text.strip():
        raise StoreError("the store's name is empty, as from a variable that is not set; name a folder")
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise StoreError(f"{text} names the machine {parts.netloc!r}; write file:///FOLDER, or the folder itself")
        return unquote(parts.path)
    if scheme:
        return text
    if text == "~" or text.startswith("~/"):
        text = str(Path(text).expanduser())
    return str(Path(text).absolute()) if ":" in text else text


def set_storage_options(options: Mapping[str, str]) -> None:
    """Set how this process reaches stores on object storage, beside what the environment says (AWS_REGION and so on).

    Args:
        options: of the `object_store` library, for instance `region`, `endpoint`, `allow_http`, `access_key_id`.
    """
    _OPTIONS.clear()
    _OPTIONS.update(options)


def storage_options(path: str) -> dict[str, str] | None:
    """Return the options for a store; None for a folder, which has none."""
    return dict(_OPTIONS) if _OPTIONS and "://" in path else None


def parse_storage_options(texts: Sequence[str]) -> dict[str, str]:
    """Parse options from "KEY=VALUE".

    Raises:
        StoreError: one is not of that form; its value may be a secret, and is not said.
    """
    options = {}
    for text in texts:
        key, mark, value = text.partition("=")
        if not (mark and key.strip() and value):
            raise StoreError(f"the storage option {key.strip()!r} has no value; write KEY=VALUE, as region=eu-west-1")
        options[key.strip()] = value
    return options
