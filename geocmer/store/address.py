"""How people name a store -> where it is: a folder, or an object store that LanceDB reads."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import StoreError

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
