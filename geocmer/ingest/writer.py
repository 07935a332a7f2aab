"""Writes tiles to a store: batches of rows with their categories, vectors and thumbnails, a commit each."""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..imagery.tiling import Tile
from ..landcover.captions import captions_of
from ..landcover.categories import Rules, category_of
from ..landcover.layer import LandCover
from ..store.schema import TileRow
from ..store.store import Store

if TYPE_CHECKING:
    from ..models.encoder import Encoder


BATCH = 128
"""Tiles per write to the store: what an interrupt can lose, and what is held in memory."""


THUMBNAIL = 96
"""Longest side of a stored thumbnail, pixels."""


class TileWriter:
    """Collects tiles, and writes each batch in one commit."""

    def __init__(
        self, store: Store, encoder: Encoder | None, land_cover: LandCover | None, rules: Rules, taken: datetime | None,
        known: set[str],
    ) -> None:  # fmt: skip
        self._store, self._encoder, self._cover, self._rules = store, encoder, land_cover, rules
        self._taken, self._known = taken, known
        self._rows: list[TileRow] = []
        self._pictures: list[NDArray[np.uint8]] = []
        self._again: list[TileRow] = []
        self._without = 0
        self.added = 0

    def add(self, tile: Tile) -> None:
        """Take a tile up; a full batch is written."""
        row = self._row(tile)
        if tile.id in self._known:
            self._again.append(row)
        else:
            self._rows.append(row)
            self._pictures.append(tile.pixels)
        if max(len(self._rows), len(self._again)) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was taken up."""
        if self._rows:
            vectors = None if self._encoder is None else self._encoder.encode_images(np.stack(self._pictures))
            self.added += self._store.add_tiles(self._rows, vectors)
        if self._again:
            ids, categories, fractions, captions = zip(
                *((r.id, r.category, r.fractions, r.captions) for r in self._again), strict=True
            )
            self._store.set_categories(ids, categories, fractions, captions)
        self._rows, self._pictures, self._again = [], [], []

    def notes(self) -> list[str]:
        """What the user should know of the categories."""
        least = self._rules.least_coverage
        few = f"{self._without} tiles have no category: land cover lies under less than {least:.0%} of them"
        return [few] if self._without else []

    def _row(self, tile: Tile) -> TileRow:
        category, shares, captions = None, None, None
        if self._cover is not None:
            found = self._cover.fractions(tile)
            shares = dict(found.shares)
            words: dict[str, float] = {}
            for label, share in shares.items():
                word = self._cover.legend.category(label)
                words[word] = words.get(word, 0.0) + share
            category = category_of(words, found.coverage, self._rules)
            captions = captions_of(category, words, int(tile.id, 16))
            self._without += category is None
        return TileRow(
            id=tile.id, scene_id=tile.scene_id, row=tile.row, col=tile.col, size=tile.size, geometry=tile.footprint,
            gsd=tile.gsd, valid_share=tile.valid_share, datetime=self._taken, category=category, fractions=shares,
            captions=captions, thumbnail=jpeg_thumbnail(tile.pixels),
        )  # fmt: skip


def jpeg_thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a small JPEG of a tile (size, size, 3)."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
