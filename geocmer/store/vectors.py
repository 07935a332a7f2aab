"""The vector columns of a store: one for each encoder, float16, unit length, null where a tile is not embedded yet.

A column is named after its encoder's fingerprint, so that two generations can stand side by side while a store is
re-embedded.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

UNIT_TOLERANCE = 1e-2
"""A vector this far from unit length is a mistake of the caller: float16 rounding stays below 1e-3."""
ENCODER_KEY, PENDING_ENCODER_KEY = "geocmer:encoder", "geocmer:coming-encoder"
"""Metadata of `tiles`: the encoder whose vectors answer, and the one that the store is being embedded with."""


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """The encoder that made a store's vectors, as the store keeps it.

    Attributes:
        fingerprint: 32 hex digits over towers and adapter.
        model: the towers, as `--model` takes them.
        adapter: folder of the adapter, or "" for none or the bundled one.
        dim: length of a vector.
        views: of a picture, whose vectors were averaged.
    """

    fingerprint: str
    model: str
    adapter: str
    dim: int
    views: int = 1

    @property
    def column(self) -> str:
        """Name of the column that holds this encoder's vectors."""
        return f"vector_{self.fingerprint[:8]}"

    @property
    def title(self) -> str:
        """Name it in messages: model, adapter, views if there are several, and the start of the fingerprint."""
        adapter = f" + {self.adapter}" if self.adapter else ""
        return f"{self.model}{adapter}{f', {self.views} views' if self.views > 1 else ''} ({self.fingerprint[:8]})"

    def to_json(self) -> str:
        """Write it as a line of JSON, the form kept in the table's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            StoreError: it is something else; the name of a column is made of it, so it is not believed unread.
        """
        try:
            info = cls(**json.loads(text))
            texts = all(isinstance(value, str) for value in (info.fingerprint, info.model, info.adapter))
            whole = all(type(number) is int and number > 0 for number in (info.dim, info.views))
            valid = texts and re.fullmatch(r"[0-9a-f]{32}", info.fingerprint) and whole
        except (ValueError, TypeError, RecursionError):
            valid = False
        if not valid:
            raise StoreError(f"the store's record of its encoder is damaged: {text[:80]!r}; embed it again")
        return info


def vector_field(info: EncoderInfo) -> pa.Field:
    """Describe the column of an encoder's unit vectors: float16, null where a tile is not embedded yet."""
    import pyarrow as pa

    return pa.field(info.column, pa.list_(pa.float16(), info.dim))


def vector_array(vectors: NDArray[np.floating[Any]], info: EncoderInfo) -> pa.Array:
    """Make the float16 column of an encoder from unit vectors (n, dim).

    Raises:
        ValueError: another shape than (n, dim), not finite, or not of unit length: a mistake of the calling code.
    """
    import pyarrow as pa

    if vectors.ndim != 2 or vectors.shape[1] != info.dim:
        raise ValueError(f"vectors of shape {vectors.shape} do not fit {info.title}, which makes (n, {info.dim})")
    lengths = np.linalg.norm(vectors.astype(np.float32, copy=False), axis=1)
    if not (np.abs(lengths - 1) <= UNIT_TOLERANCE).all():  # also false for NaN
        raise ValueError("vectors must be finite and of unit length")
    flat = np.ascontiguousarray(vectors, dtype=np.float16).ravel()
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), info.dim)


def to_numpy(column: pa.FixedSizeListArray) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """View a column of vectors as (n, dim) float16 without a copy, and which rows have one (True = embedded)."""
    dim = column.type.list_size
    flat = column.values.slice(column.offset * dim, len(column) * dim)  # .flatten() would leave the nulls out
    return flat.to_numpy(zero_copy_only=False).reshape(-1, dim), np.asarray(column.is_valid())


def recorded_encoder(tiles: Any, key: str) -> EncoderInfo | None:
    """Read the encoder that the metadata of `tiles` records under a key."""
    text = (tiles.schema.metadata or {}).get(key.encode())
    return EncoderInfo.from_json(text.decode()) if text else None


def usable_encoder(tiles: Any, key: str) -> EncoderInfo | None:
    """Read a recorded encoder if its column is there; who records one may be killed before its column is made."""
    info = recorded_encoder(tiles, key)
    return info if info is not None and info.column in tiles.schema.names else None
