"""Writes tiles to a store: batches of rows with their categories, vectors and thumbnails, a commit each."""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..imagery.tiling import Tile
from ..landcover.captions import tile_captions
from ..landcover.categories import Rules, scene_category
from ..landcover.layer import LandCover
from ..store.schema import TileRow
from ..store.store import Store
from ..store.vectors import EncoderInfo

if TYPE_CHECKING:
    from ..models.encoder import Encoder


BATCH_TILES = 128
"""Tiles per commit: what an interrupt can lose, and what is held in memory."""


THUMBNAIL_SIDE_PIXELS = 96
"""Longest side of a stored thumbnail."""


def encoder_info(encoder: Encoder) -> EncoderInfo:
    """Describe an encoder as a store records it."""
    return EncoderInfo(encoder.fingerprint, encoder.backbone.spec, encoder.adapter_name, encoder.dim)


def encode_tiles(encoder: Encoder, pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Embed tiles; the mask is told only where one of them has a hole, which few have."""
    return encoder.encode_images(pixels) if valid.all() else encoder.encode_images(pixels, valid)


class TileWriter:
    """Collects tiles, and writes each batch in one commit."""

    def __init__(
        self, store: Store, encoder: Encoder | None, land_cover: LandCover | None, rules: Rules,
        acquired: datetime | None, known_ids: set[str],
    ) -> None:  # fmt: skip
        self._store, self._encoder, self._land_cover, self._rules = store, encoder, land_cover, rules
        self._acquired, self._known_ids = acquired, known_ids
        self._info = None if encoder is None else encoder_info(encoder)
        self._rows: list[TileRow] = []
        self._pixels: list[NDArray[np.uint8]] = []
        self._valid: list[NDArray[np.bool_]] = []
        self._recategorised: list[TileRow] = []
        self._uncategorised = 0
        self.added = 0

    def add(self, tile: Tile) -> None:
        """Add a tile; a full batch is written."""
        row = self._row(tile)
        if tile.id in self._known_ids:
            self._recategorised.append(row)
        else:
            self._rows.append(row)
            self._pixels.append(tile.pixels)
            self._valid.append(tile.valid)
        if max(len(self._rows), len(self._recategorised)) >= BATCH_TILES:
            self.flush()

    def flush(self) -> None:
        """Write the tiles added since the last batch."""
        if self._rows:
            vectors = (
                None
                if self._encoder is None
                else encode_tiles(self._encoder, np.stack(self._pixels), np.stack(self._valid))
            )
            self.added += self._store.add_tiles(self._rows, vectors, self._info)
        if self._recategorised:
            ids, categories, fractions, captions = zip(
                *((r.id, r.category, r.fractions, r.captions) for r in self._recategorised), strict=True
            )
            self._store.set_categories(ids, categories, fractions, captions)
        self._rows, self._pixels, self._valid, self._recategorised = [], [], [], []

    def notes(self) -> list[str]:
        """List what the user should know about the categories."""
        least = self._rules.least_coverage
        note = f"{self._uncategorised} tiles have no category: land cover lies under less than {least:.0%} of them"
        return [note] if self._uncategorised else []

    def _row(self, tile: Tile) -> TileRow:
        category, shares, captions = None, None, None
        if self._land_cover is not None:
            found = self._land_cover.fractions(tile)
            shares = dict(found.shares)
            category_shares: dict[str, float] = {}
            for label, share in shares.items():
                word = self._land_cover.legend.category(label)
                category_shares[word] = category_shares.get(word, 0.0) + share
            category = scene_category(category_shares, found.coverage, self._rules)
            captions = tile_captions(category, category_shares, int(tile.id, 16))
            self._uncategorised += category is None
        rows, columns = tile.covered
        return TileRow(
            id=tile.id, scene_id=tile.scene_id, row=tile.row, col=tile.col, size=tile.size, geometry=tile.footprint,
            gsd=tile.gsd, valid_share=tile.valid_share, datetime=self._acquired, category=category, fractions=shares,
            captions=captions, thumbnail=encode_thumbnail(tile.pixels[:rows, :columns], tile.valid[:rows, :columns]),
        )  # fmt: skip


def encode_thumbnail(pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> bytes:
    """Encode a small picture of the pixels (height, width, 3) of a tile that lie in its scene.

    A JPEG where all are valid (height, width); else a WebP file, which is as small and clear where they are not, so
    that no viewer takes fill for black ground.
    """
    from PIL import Image

    whole = bool(valid.all())
    image = Image.fromarray(pixels if whole else np.dstack([pixels, np.where(valid, np.uint8(255), np.uint8(0))]))
    image.thumbnail((THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if whole else "WEBP", quality=80)
    return buffer.getvalue()
