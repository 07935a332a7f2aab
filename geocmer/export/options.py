"""What the person who exports may ask for, beside the hits themselves."""

from __future__ import annotations

from dataclasses import dataclass

from ..store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Options:
    """What a writer is told.

    Attributes:
        title: what the hits are, for people: the words that were searched for.
        source: the store at the version that answered.
        thumbnails: whether to write the pictures.
    """

    title: str = ""
    source: Snapshot | None = None
    thumbnails: bool = False
