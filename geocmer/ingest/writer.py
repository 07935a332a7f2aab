"""Writes tiles to a store: batches of rows with their categories, vectors and thumbnails, a commit each."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..imagery.tiling import Tile, TileReader
from ..landcover.captions import tile_captions
from ..landcover.categories import Rules, scene_category
from ..landcover.layer import LandCover
from ..store.schema import TileRow
from ..store.store import Store
from ..store.vectors import EncoderInfo
from .stages import Stages

if TYPE_CHECKING:
    from ..models.encoder import Encoder
BATCH_TILES = 128
"""Tiles per commit: what an interrupt can lose, and what is held in memory."""
BLOCKS_AHEAD = 2
"""Blocks of the scene that are read before tiles are made of them."""
TILES_AHEAD = 32
"""Tiles that are read before their rows are made."""
ENCODED_TILES = 32
"""Tiles that are embedded at once: the model begins as soon as these are read."""
BATCHES_AHEAD = 1
"""Batches that wait before they are written."""
THUMBNAIL_SIDE_PIXELS = 96
"""Longest side of a stored thumbnail."""


def encoder_info(encoder: Encoder) -> EncoderInfo:
    """Describe an encoder as a store records it."""
    views = getattr(encoder, "views", 1)  # an encoder of one's own need not have any
    return EncoderInfo(encoder.fingerprint, encoder.backbone.spec, encoder.adapter_name, encoder.dim, views)


def encode_tiles(encoder: Encoder, pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Embed n tiles, (n, dim); the mask is told only where one of them has a hole, which few have."""
    return encoder.encode_images(pixels) if valid.all() else encoder.encode_images(pixels, valid)


@dataclass(slots=True)
class _Batch:
    """Some tiles: new ones, with their pixels until they are embedded, and stored ones that get another category."""

    rows: list[TileRow] = field(default_factory=list)
    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    valid: list[NDArray[np.bool_]] = field(default_factory=list)
    recategorised: list[TileRow] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)

    def __len__(self) -> int:
        return max(len(self.rows), len(self.recategorised))

    def embed(self, encoder: Encoder) -> None:
        """Make the vectors of the new tiles, and let go of their pixels."""
        if self.rows:
            self.vectors.append(encode_tiles(encoder, _stacked(self.pixels), _stacked(self.valid)))
        self.pixels, self.valid = [], []

    def extend(self, other: _Batch) -> None:
        self.rows += other.rows
        self.vectors += other.vectors
        self.recategorised += other.recategorised


class TileWriter:
    """Writes tiles as they come, a batch a commit.

    Reading, categories and thumbnails, embedding, and writing are stages that run side by side (`Stages`), each a
    little ahead of the next: while some tiles are embedded the next are read and the last ones written. Whatever fails,
    or an interrupt, stops all of them; tiles that are embedded are written first.
    """

    def __init__(
        self, store: Store, encoder: Encoder | None, land_cover: LandCover | None, rules: Rules,
        acquired: datetime | None, known_ids: set[str],
    ) -> None:  # fmt: skip
        self._store, self._encoder, self._land_cover, self._rules = store, encoder, land_cover, rules
        self._acquired, self._known_ids = acquired, known_ids
        self._info = None if encoder is None else encoder_info(encoder)
        self._uncategorised = 0
        self.added = 0

    def write(self, reader: TileReader) -> None:
        """Categorise, embed and store the tiles of a scene.

        Raises:
            GeocmerError: they cannot be read, or the store cannot be written.
        """
        with Stages() as stages:
            tiles = stages.ahead(reader.tiles(stages.ahead(reader.blocks(), BLOCKS_AHEAD)), TILES_AHEAD)
            parts = stages.ahead(self._parts(tiles), max(1, BATCH_TILES // ENCODED_TILES))
            commit = stages.sink(self._commit, BATCHES_AHEAD)
            batch = _Batch()
            try:
                for part in parts:
                    if self._encoder is not None:
                        part.embed(self._encoder)
                    batch.extend(part)
                    if len(batch) >= BATCH_TILES:
                        whole, batch = batch, _Batch()
                        commit(whole)
            finally:
                commit(batch)

    def _parts(self, tiles: Iterable[Tile]) -> Iterator[_Batch]:
        """Make rows of tiles, and yield some at a time."""
        batch = _Batch()
        for tile in tiles:
            row = self._row(tile)
            if tile.id in self._known_ids:
                batch.recategorised.append(row)
            else:
                batch.rows.append(row)
                if self._encoder is not None:
                    batch.pixels.append(tile.pixels)
                    batch.valid.append(tile.valid)
            if len(batch) >= min(ENCODED_TILES, BATCH_TILES):
                yield batch
                batch = _Batch()
        yield batch

    def _commit(self, batch: _Batch) -> None:
        if batch.rows:
            vectors = np.concatenate(batch.vectors) if batch.vectors else None
            self.added += self._store.add_tiles(batch.rows, vectors, self._info)
        if batch.recategorised:
            ids, categories, fractions, captions = zip(
                *((r.id, r.category, r.fractions, r.captions) for r in batch.recategorised), strict=True
            )
            self._store.set_categories(ids, categories, fractions, captions)

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


def _stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Copy arrays of one shape into one, in the order of its axes; `np.stack` keeps the bands of views apart."""
    whole = np.empty((len(arrays), *arrays[0].shape), arrays[0].dtype)
    for part, array in zip(whole, arrays, strict=True):
        part[...] = array
    return whole


def encode_thumbnail(pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> bytes:
    """Encode a small picture of the pixels (height, width, 3) of a tile that lie in its scene.

    A JPEG where all are valid (height, width); else a WebP file, which is as small and clear where they are not, so
    that no viewer takes fill for black ground.
    """
    from PIL import Image

    whole = bool(valid.all())
    image = Image.fromarray(pixels if whole else np.dstack([pixels, np.where(valid, np.uint8(255), np.uint8(0))]))
    # Hamming's filter is half as wide as the bicubic one, and as sharp where pictures become smaller
    image.thumbnail((THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS), Image.Resampling.HAMMING)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if whole else "WEBP", quality=80)
    return buffer.getvalue()
