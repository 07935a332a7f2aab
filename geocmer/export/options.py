"""What the person who exports may ask for, beside the hits themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What a writer is told beside the hits.

    Attributes:
        title: what the hits are, for people: the words that were searched for.
        source: the store at the version that answered.
        thumbnails: whether to write the pictures.
        path: what the file will be called and where it will lie; it is written under another name first.
    """

    title: str = ""
    source: Snapshot | None = None
    thumbnails: bool = False
    path: Path = Path("hits")
