"""Named records of a store, as text: what it was taught and which searches it keeps, a row each in a table of its own.

The table is made with the first record. A record is replaced and removed in one commit, as the tiles are, so that a
killed writer leaves the old one; who reads a record checks what it says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import InputError, StoreError
from . import connection, lance, maintenance
from .durability import sync
from .schema import SCHEMA_KEY, SCHEMA_VERSION, key_field

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "records"
Value = TypeVar("Value")


def records_schema() -> pa.Schema:
    """Describe the table: the kind and the name of a record make its key."""
    import pyarrow as pa

    texts = (pa.field(name, pa.string()) for name in ("kind", "name", "text"))
    return pa.schema([key_field(), *texts], metadata={SCHEMA_KEY: SCHEMA_VERSION})


def read_records(path: str, kind: str) -> dict[str, str]:
    """Read the records of a kind, by name in order; none where none was ever written.

    Args:
        path: of the store.
        kind: of records.

    Raises:
        StoreError: the table cannot be read.
    """
    table = connection.find_dataset(path, TABLE)
    if table is None:
        return {}
    import pyarrow.compute as pc

    with connection.translate_errors(path, "read the records of"):
        rows = table.to_table(["name", "text"], filter=pc.field("kind") == kind).to_pylist()
    return {row["name"]: row["text"] for row in sorted(rows, key=lambda row: str(row["name"]))}


def write_record(path: str, kind: str, name: str, text: str) -> None:
    """Write a record, in the place of one of the same kind and name.

    Raises:
        StoreError: the store cannot be written.
    """
    import pyarrow as pa

    began = time.time()
    if connection.find_dataset(path, TABLE) is None:
        lance.create_table(path, TABLE, records_schema())
    row = {"id": f"{kind}/{name}", "kind": kind, "name": name, "text": text}
    rows = pa.Table.from_pylist([row], schema=records_schema())
    lance.upsert(path, TABLE, rows, set(), insert=True, update=True)
    _sync_and_compact(path, began)


def remove_record(path: str, kind: str, name: str) -> None:
    """Remove a record; nothing happens where there is none.

    Raises:
        StoreError: the store cannot be written.
    """
    from pyarrow.compute import field

    if connection.find_dataset(path, TABLE) is None:
        return
    began = time.time()
    lance.delete(path, TABLE, field("id") == f"{kind}/{name}")
    _sync_and_compact(path, began)


def _sync_and_compact(path: str, began: float) -> None:
    """Put the commit on the disk, and clear versions that nobody reads any more."""
    if connection.is_local(path):
        with connection.translate_errors(path, "sync"):
            sync(Path(path) / f"{TABLE}.lance", began)
    maintenance.compact(path, TABLE)


@dataclass(frozen=True, slots=True)
class Records(Generic[Value]):
    """The records of one kind in a store, each checked when it is read.

    Attributes:
        path: of the store.
        kind: of the records.
        read: makes a value of the text of a record.
        key: name as people write it -> the one that the record is kept under.
        remedy: of a damaged record, with `{name}` in it.
        held: texts of the records by name, once they are read for many questions (`hold`); else None.
    """

    path: str
    kind: str
    read: Callable[[str], Value]
    key: Callable[[str], str]
    remedy: str
    held: Mapping[str, str] | None = field(default=None, repr=False)

    def hold(self) -> Records[Value]:
        """Read the records now, for all that is asked of them later.

        Raises:
            StoreError: the table cannot be read.
        """
        return replace(self, held=read_records(self.path, self.kind))

    def all(self) -> list[Value]:
        """Read every record, by name in order.

        Raises:
            StoreError: one is damaged.
        """
        return [self._read(name, text) for name, text in read_records(self.path, self.kind).items()]

    def find(self, names: Sequence[str]) -> dict[str, Value]:
        """Read those of the names that there are, each by its name as it was given.

        Raises:
            StoreError: one is damaged.
        """
        kept = read_records(self.path, self.kind) if self.held is None else self.held
        return {name: self._read(name, kept[self.key(name)]) for name in names if self.key(name) in kept}

    def damaged(self) -> dict[str, str]:
        """Tell which records cannot be read, by name, and why.

        Raises:
            StoreError: the table cannot be read.
        """
        found = {}
        for name, text in read_records(self.path, self.kind).items():
            try:
                self._read(name, text)
            except StoreError as error:
                found[name] = str(error)
        return found

    def get(self, name: str) -> Value:
        """Read the record of a name.

        Raises:
            StoreError: there is none, or it is damaged.
        """
        self._require(name)
        return self.find([name])[name]

    def put(self, name: str, text: str) -> None:
        """Keep a record, in the place of one of the same name.

        Raises:
            StoreError: the store cannot be written.
        """
        write_record(self.path, self.kind, self.key(name), text)

    def remove(self, name: str) -> None:
        """Remove a record.

        Raises:
            StoreError: there is none of the name, or the store cannot be written.
        """
        self._require(name)
        remove_record(self.path, self.kind, self.key(name))

    def _require(self, name: str) -> None:
        kept = read_records(self.path, self.kind)
        if self.key(name) not in kept:
            known = ", ".join(list(kept)[:10]) or "none yet"
            raise StoreError(f"there is no {self.kind} {name!r} in the store; there are: {known}")

    def _read(self, name: str, text: str) -> Value:
        try:
            return self.read(text)
        except (InputError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise StoreError(
                f"the record of {self.kind} {name!r} in the store {self.path} is damaged ({str(error)[:60]}); "
                f"{self.remedy.format(name=repr(name))}"
            ) from error
