"""Writing vectors to a store: which encoders it has room for, whose vectors answer, embedding what lacks one.

Vectors are written under the encoder that made them or not at all: each encoder has a column of its own, and a commit
to a column that another process has dropped fails. So one that embeds the store anew, beside one that tiles with the
old encoder, never gets old vectors under the new name.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FingerprintError, InputError, StoreError
from . import connection, lance
from .reader import Reader, TileKey
from .schema import tiles_schema
from .vectors import ENCODER_KEY, PENDING_ENCODER_KEY, EncoderInfo, usable_encoder, vector_array, vector_field


class VectorWriter(Reader):
    """The half of a `Store` that writes vectors.

    Attributes:
        notes: what was recovered when it was opened for writing, for the user to know.
    """

    def __init__(self, path: str, as_of: int | dt.datetime | None = None) -> None:
        super().__init__(path, as_of)
        self.notes: list[str] = []
        self._whole: dict[str, set[str]] = {name: set() for name in lance.TABLES}
        self._synced = 0.0

    def claim_encoder(self, info: EncoderInfo) -> None:
        """Make an encoder the store's, if it has none yet.

        Raises:
            FingerprintError: it has another one, or another process gave it one just now.
            StoreError: the store cannot be written.
        """
        if self.encoder is None:
            self._announce(info, ENCODER_KEY)
        self.require_encoder(info.fingerprint)

    def add_encoder(self, info: EncoderInfo) -> None:
        """Make room for an encoder's vectors.

        A store's first encoder answers at once, a later one after `activate_encoder`. Of two that begin beside each
        other one is the later.

        Raises:
            FingerprintError: other processes gave the store other encoders again and again.
            StoreError: the store cannot be written.
        """
        for _ in range(3):
            if info in (self.encoder, self.pending_encoder):
                return
            self._announce(info, ENCODER_KEY if self.encoder is None else PENDING_ENCODER_KEY)
        self._require_column(info)

    def set_vectors(self, info: EncoderInfo, ids: Sequence[str], vectors: NDArray[np.floating[Any]] | None) -> None:
        """Set the (n, dim) unit vectors of stored tiles, of an encoder that `add_encoder` made room for.

        None takes their vectors out, as if they had never been embedded.

        Raises:
            FingerprintError: the store takes no vectors of the encoder any more.
            StoreError: the store cannot be written.
        """
        import pyarrow as pa

        schema = pa.schema([tiles_schema().field("id"), vector_field(info)])
        column = vector_array(vectors, info) if vectors is not None else pa.nulls(len(ids), schema.field(1).type)
        arrays = [pa.array(list(ids), pa.string()), column]
        self._upsert_vectors(pa.Table.from_arrays(arrays, schema=schema), info, update=True)

    def activate_encoder(self, info: EncoderInfo) -> None:
        """Let an encoder's vectors answer from now on, in one commit, and drop the old ones.

        Raises:
            FingerprintError: the store takes no vectors of the encoder any more.
            StoreError: tiles that have an old vector still lack a new one.
        """
        self._require_newest()
        old = self.encoder
        if old != info:
            self._require_column(info)
            lacking = self._count(f"{info.column} IS NULL" + (f" AND {old.column} IS NOT NULL" if old else ""))
            if lacking:
                raise StoreError(
                    f"{lacking} tiles of {self.path} have no vector of {info.title} yet, so the old ones still answer; "
                    f"run `geocmer embed --model {info.model} --store {self.path}` again"
                )
            self._sync()
            lance.set_metadata(self.path, "tiles", {ENCODER_KEY: info.to_json(), PENDING_ENCODER_KEY: None})
        self._drop_dead_vectors()

    def embed(
        self, info: EncoderInfo, encode: Callable[[list[TileKey]], NDArray[np.floating[Any]]], scene_id: str = ""
    ) -> int:
        """Give every tile that lacks one a vector of an encoder that `add_encoder` made room for.

        Args:
            info: the encoder.
            encode: tiles of one scene -> their (n, dim) unit vectors; a scene that raises `InputError` is left out.
            scene_id: embed this scene alone; "" embeds all.

        Returns:
            How many vectors were made.

        Raises:
            FingerprintError: the store takes no vectors of the encoder any more.
            InputError: after all others, of the scenes that were left out.
        """
        self._require_column(info)
        made, failed, left = 0, {}, 0
        for keys in self.iter_unembedded(info, scene_id=scene_id):
            ids: list[str] = []
            parts: list[NDArray[np.floating[Any]]] = []
            for scene, group in groupby(sorted(keys, key=attrgetter("scene_id")), attrgetter("scene_id")):
                some = list(group)
                try:
                    if scene not in failed:
                        parts.append(encode(some))
                        ids += [key.id for key in some]
                except InputError as error:
                    failed[scene] = str(error)
                left += len(some) if scene in failed else 0
            if ids:
                self.set_vectors(info, ids, np.concatenate(parts))
                made += len(ids)
        if failed:
            raise InputError(_left_out(left, list(failed.values())))
        return made

    def reembed(self, info: EncoderInfo, encode: Callable[[list[TileKey]], NDArray[np.floating[Any]]]) -> int:
        """Give every tile that lacks one a vector of `info`, then let these answer. Resumes where it was interrupted.

        Args:
            info: the encoder; if it is the current one, only tiles without a vector are embedded.
            encode: see `embed`.

        Returns:
            How many vectors were made.

        Raises:
            InputError: after all others, of the scenes that were left out. Old vectors go on to answer if one of their
                tiles has one.
        """
        self.add_encoder(info)
        try:
            made = self.embed(info, encode)
        except InputError:
            with suppress(StoreError):
                self.activate_encoder(info)
            raise
        self.activate_encoder(info)
        if made:
            self.upkeep()
        return made

    def upkeep(self) -> None:
        """Keep the store small and quick after a bulk of writes; the whole store knows how."""
        raise NotImplementedError

    def _announce(self, info: EncoderInfo, key: str) -> None:
        """Record an encoder in the metadata, then make its column: one that is dead is never a recorded one's.

        The record is made on the version that was read: if another process records one at the same time, one of the
        two fails, looks again, and finds the store as the other left it.
        """
        for attempt in range(3):
            tiles = connection.open_dataset(self.path, "tiles")
            if key == ENCODER_KEY and usable_encoder(tiles, ENCODER_KEY) not in (None, info):
                return  # another process was first; who may not be second asks `require_encoder`
            self._require_newest()
            try:
                with connection.translate_errors(self.path, "write"):
                    tiles.update_schema_metadata({key: info.to_json()})
                    if info.column not in tiles.schema.names:
                        tiles.add_columns([vector_field(info)])
                self._drop_dead_vectors()
                return
            except (StoreError, ValueError):
                if attempt == 2:
                    raise

    def _upsert_vectors(
        self, rows: Any, info: EncoderInfo | None, *, insert: bool = False, update: bool = False
    ) -> int:
        """Write rows of `tiles`; vectors whose column is gone are refused by the same commit."""
        try:
            return self._upsert("tiles", rows, insert=insert, update=update)
        except StoreError:
            if info is not None:
                self._require_column(info)
            raise

    def _upsert(self, name: str, rows: Any, *, insert: bool = False, update: bool = False) -> int:
        """Write rows to a table; see `lance.upsert`."""
        self._require_newest()
        return lance.upsert(self.path, name, rows, self._whole[name], insert=insert, update=update)

    def _require_column(self, info: EncoderInfo) -> None:
        """Refuse an encoder whose vectors the store does not take, or not any more."""
        tiles = self._dataset("tiles")
        if info.column not in tiles.schema.names:
            current = self.pending_encoder or self.encoder
            now = f"it was embedded with {current.title} meanwhile" if current else "it has no encoder yet"
            raise FingerprintError(
                f"the store {self.path} takes no vectors of {info.title}: {now}; run it again with the encoder that "
                f"`geocmer info --store {self.path}` names"
            )

    def _drop_dead_vectors(self) -> None:
        """Drop the vectors of encoders that neither answer nor are on the way: an old one's, an abandoned one's."""
        dead = self.dead_vectors()
        if dead:
            with connection.translate_errors(self.path, "write"):
                table = self._newest("tiles")
                if names := dead.intersection(table.schema.names):  # another process may have been as quick
                    table.drop_columns(sorted(names))

    def _sync(self) -> None:
        """Put everything on the disk that was written since the last time."""
        began = time.time()
        lance.sync_tables(self.path, self._synced)
        self._synced = began

    def _require_newest(self) -> None:
        """Refuse to write to an earlier version."""
        if self.as_of is not None:
            raise StoreError(f"the store {self.path} is read as of version {self.as_of}; open it anew to write to it")

    def _newest(self, name: str) -> Any:
        """Return a table at its newest version, to write to."""
        self._require_newest()
        return connection.open_dataset(self.path, name)


def _left_out(tiles: int, reasons: list[str]) -> str:
    """Say which scenes could not be embedded, the first three by their reasons."""
    more = f"; and {len(reasons) - 3} more scenes (`geocmer doctor` names them)" if len(reasons) > 3 else ""
    return f"{tiles} tiles have no vector: {'; '.join(reasons[:3])}{more}"
