"""Embeddings that others made, into a store: a table is one scene, and one commit."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._files import hash_file, is_file
from .._types import Progress
from ..errors import InputError
from ..geometry.bbox import WGS84
from ..geometry.geodesy import GEOD
from ..imagery.address import SceneAddress
from ..imagery.remote_raster import remote_hash
from ..imagery.scene_source import ItemRecord
from ..imagery.scene_table import open_parquet
from ..imagery.stretch import Stretch
from ..imagery.tiling import TilingReport
from ..models.imported import PREFIX, imported_fingerprint
from ..store.scene_row import GridRecord, SceneRow, TilingSettings
from ..store.schema import TileRow, tiles_table
from ..store.store import Store
from ..store.vectors import EncoderInfo, vector_array
from .embedding_table import EmbeddingRows, EmbeddingTable
from .writer import encoder_info

if TYPE_CHECKING:
    from ..models.encoder import Encoder

BATCH_ROWS = 4096
"""Rows held at once, whatever the size of the table."""
MAX_NAMED_ROWS = 10


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was done with one table.

    Attributes:
        file: the table.
        total: its rows.
        added: rows that are tiles now.
        bad: number of rows that cannot be used.
        reasons: of the first of them: row number, from 0, and why.
    """

    file: str
    total: int
    added: int
    bad: int
    reasons: tuple[tuple[int, str], ...]

    def lines(self) -> list[str]:
        """Give the report as lines of text."""
        head = f"{self.file}: {self.added} of {self.total} rows added" if self.added else f"{self.file}: nothing to do"
        more = [f"  and {self.bad - len(self.reasons)} more"] if self.bad > len(self.reasons) else []
        return [head, *(f"  row {number} is left out: {why}" for number, why in self.reasons), *more]


def import_embeddings(
    path: str | Path,
    store: Store,
    model: str | Encoder,
    *,
    vector_column: str | None = None,
    width: float | None = None,
    size: int = 224,
    progress: Progress | None = None,
) -> ImportReport:
    """Add the rows of a GeoParquet table of embeddings to a store as tiles.

    All of them are one commit: an interrupt leaves nothing behind. The same table again adds nothing.

    Args:
        path: the table, on the disk or a server.
        store: receives the rows; its vectors, if it has any, must be of the same model.
        model: the name of the model that made the vectors, or that model as geocmer loads it, whose text side can then
            be asked.
        vector_column: that holds the vectors, if several do.
        width: metres of a tile, for rows that are points.
        size: pixels along a tile that the model saw; tells the ground resolution.
        progress: called with (done, total) rows.

    Raises:
        InputError: the table cannot be read, has no vectors, of another length than the model's, or no usable row.
        FingerprintError: the store's vectors are of another model.
        StoreError: the store cannot be written.
    """
    address = SceneAddress.of(path)
    if not address.remote and not is_file(address.path):
        raise InputError(f"{address} does not exist; give a GeoParquet table")
    content = remote_hash(address) if address.remote else hash_file(address.path)
    with open_parquet(address) as file:
        table = EmbeddingTable(str(address), file, vector_column, width)
        info = _encoder_info(model, table.dim, str(address))
        key = hashlib.blake2b(f"{content} {info.fingerprint} {vector_column}".encode(), digest_size=16).hexdigest()
        bad: dict[int, str] = {}
        stored = store.scene(key)
        if stored is not None:
            return ImportReport(str(address), len(table), 0, 0, ())
        store.claim_encoder(info)
        store.begin_scene(key, address.absolute)
        writer = _RowWriter(key, info, size)
        batches = table.batches(BATCH_ROWS, info.dim)
        first = next((rows for rows in _counted(batches, bad, len(table), None) if len(rows.numbers)), None)
        if first is None:
            number, why = next(iter(bad.items()), (0, "it has no rows"))
            store.remove_scene(key)
            raise InputError(f"no row of {address} can be used; row {number}: {why}")
        bad.clear()
        first_id = writer.tile_id(int(first.numbers[0]))
        if not store.existing_ids([first_id]):  # else a run was stopped just before its end
            rows = _counted(table.batches(BATCH_ROWS, info.dim), bad, len(table), progress)
            store.append_tiles(writer.tables(rows))
        else:
            for _ in _counted(table.batches(BATCH_ROWS, info.dim), bad, len(table), progress):
                pass
        added = len(table) - len(bad)
        gsd = writer.gsd(first.shapes[0])
        store.add_scene(_scene_row(key, address, content, info, len(table), added, size, gsd))
    store.upkeep()
    return ImportReport(str(address), len(table), added, len(bad), tuple(list(bad.items())[:MAX_NAMED_ROWS]))


class _RowWriter:
    """Makes rows of the store's table of a scene's embeddings."""

    def __init__(self, scene: str, info: EncoderInfo, size: int) -> None:
        self._scene, self._info, self._size = scene, info, size

    def tile_id(self, number: int) -> str:
        """Identify a row, 32 hex digits."""
        return hashlib.blake2b(f"{self._scene} {number}".encode(), digest_size=16).hexdigest()

    def gsd(self, shape: Any) -> float:
        """Compute the ground resolution of a picture of a footprint, metres."""
        area, _ = GEOD.geometry_area_perimeter(shape)
        return float(abs(area) ** 0.5) / self._size

    def tables(self, batches: Iterator[EmbeddingRows]) -> Iterator[Any]:
        """Make Arrow tables as the store has them."""
        for rows in batches:
            if len(rows.numbers):
                made = [
                    self._row(*one) for one in zip(rows.numbers, rows.shapes, rows.times, rows.thumbnails, strict=True)
                ]
                yield tiles_table(made, vector_array(rows.vectors, self._info), self._info)

    def _row(self, number: np.int64, shape: Any, time: dt.datetime | None, thumbnail: bytes | None) -> TileRow:
        return TileRow(
            id=self.tile_id(int(number)), scene_id=self._scene, row=int(number), col=0, size=self._size, geometry=shape,
            gsd=self.gsd(shape), valid_share=1.0, datetime=time, thumbnail=thumbnail,
        )  # fmt: skip


def _encoder_info(model: str | Encoder, dim: int, name: str) -> EncoderInfo:
    if isinstance(model, str):
        if not model.strip():
            raise InputError(
                "the model's name is empty; say what made the vectors, for instance --model-name clay-v1.5"
            )
        return EncoderInfo(imported_fingerprint(model, dim), PREFIX + model, "", dim)
    info = encoder_info(model)
    if info.dim != dim:
        raise InputError(
            f"{name} has vectors of {dim} numbers, and {info.title} makes {info.dim}; name the right model"
        )
    return info


def _counted(
    batches: Iterator[EmbeddingRows], bad: dict[int, str], total: int, progress: Progress | None
) -> Iterator[EmbeddingRows]:
    """Pass rows on, and count those that cannot be used."""
    done = 0
    for rows in batches:
        bad |= rows.bad
        yield rows
        done += len(rows.numbers) + len(rows.bad)
        if progress:
            progress(done, total)


def _scene_row(
    key: str, address: SceneAddress, content: str, info: EncoderInfo, total: int, added: int, size: int, gsd: float
) -> SceneRow:
    dropped = {"the row cannot be used": total - added} if added < total else {}
    return SceneRow(
        id=key, uri=address.absolute, content_hash=content, crs=WGS84.to_wkt(), transform=(1, 0, 0, 0, -1, 0), width=0,
        height=0, gsd=gsd, bands=(), stretch=Stretch((), ()), grid=GridRecord(size, size),
        report=TilingReport(total, added, dropped, 1.0), datetime=None, settings=TilingSettings(),
        created_at=dt.datetime.now(dt.UTC), item=ItemRecord(f"embeddings of {info.title}"),
    )  # fmt: skip
