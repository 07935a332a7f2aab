"""The checks of the doctor, one function each; `CHECKS` is their order in a report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..models.encoder import expected_fingerprint
from ..models.file_hashes import forget_hashes
from ..models.trust import is_known
from ..search.concepts import concepts_of
from ..search.saved_search import searches_of
from ..store import mmap_cache
from ..store.snapshot import Snapshot
from ..store.store import Store
from .inventory import Inventory
from .report import Finding


@dataclass(frozen=True)
class Subject:
    """A store under examination, at one version.

    Attributes:
        store: the store.
        quick: do not read what takes long to read.
        notes: what a check could not look at; checks add to it.
    """

    store: Store
    quick: bool = False
    notes: list[str] = field(default_factory=list)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The version that is examined."""
        return self.store.snapshot()

    @cached_property
    def inventory(self) -> Inventory:
        """Its rows, read once for all checks."""
        return Inventory.of(self.snapshot)

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """Which rows belong to a scene that was tiled to its end, (n,)."""
        complete = np.array([name in self.snapshot.uris for name in self.inventory.scene_ids], bool)
        return complete[self.inventory.scenes]

    @property
    def option(self) -> str:
        """The option that names the store in a command."""
        return f" --store {shlex.quote(self.store.path)}"

    @property
    def fix(self) -> str:
        """The command that fixes what can be made again."""
        return f"geocmer doctor --fix{self.option}"


Check = Callable[[Subject], Iterator[Finding]]


def torn_files(subject: Subject) -> Iterator[Finding]:
    """Find files of the newest version that are missing or cut off, and tables whose newest version cannot be read."""
    torn = subject.store.torn_files()
    if torn:
        what = "files are missing, empty or cut off, as after a full disk or a power cut"
        remedy = (
            f"{subject.fix}, which steps back to the newest whole version, then tile the scenes again; if none is "
            "whole, put the store back from a backup, or tile them into a new store: their tiles are the same"
        )
        yield Finding("torn", what, len(torn), torn[0], remedy)


def damaged_files(subject: Subject) -> Iterator[Finding]:
    """Find files of the newest version that are whole and yet not what was written, as where a disk wears out."""
    damaged = [] if subject.quick else subject.store.damaged_files()
    if damaged:
        what = "files are not what was written: their checksums differ"
        remedy = f"{subject.fix}, which takes out the rows they hold, then tile the scenes again; and check the disk"
        yield Finding("damaged", what, len(damaged), damaged[0], remedy)


def duplicates(subject: Subject) -> Iterator[Finding]:
    """Find rows with the id of another row."""
    inventory = subject.inventory
    if len(inventory.duplicates):
        rows = [(inventory.ids[row].decode(), int(inventory.rowids[row])) for row in inventory.duplicates]
        remedy = f"{subject.fix}, which keeps one of each"
        yield Finding(
            "duplicate", "rows have the id of another row", len(rows), rows[0][0], remedy, rows=tuple(rows)
        )  # fmt: skip


def invalid_vectors(subject: Subject) -> Iterator[Finding]:
    """Find vectors that are not finite or not of unit length."""
    inventory = subject.inventory
    wrong = inventory.ids[inventory.embedded & ~inventory.valid]
    if len(wrong):
        yield Finding(
            "vector", "vectors are not finite or not of unit length", len(wrong), f"tile {wrong[0].decode()}",
            f"{subject.fix}, which takes them out, then geocmer embed{subject.option}",
            rows=tuple(name.decode() for name in wrong),
        )  # fmt: skip


def unembedded_tiles(subject: Subject) -> Iterator[Finding]:
    """Find tiles of complete scenes that have no vector."""
    inventory, snapshot = subject.inventory, subject.snapshot
    bare = np.flatnonzero(~inventory.embedded & subject.complete)
    if len(bare):
        begun = np.isin(inventory.scenes[bare], inventory.scenes[inventory.embedded])
        half = len(np.unique(inventory.scenes[bare[begun]]))
        row = bare[begun][0] if half else bare[0]
        uri = snapshot.uris[inventory.scene_ids[inventory.scenes[row]]]
        yield Finding(
            "unembedded", f"tiles have no vector, so no search finds them ({half} scenes are half embedded)", len(bare),
            f"tile {inventory.ids[row].decode()} of {uri}", f"geocmer embed{subject.option}",
        )  # fmt: skip


def unfinished_scenes(subject: Subject) -> Iterator[Finding]:
    """Find scenes that were not tiled to their end."""
    inventory = subject.inventory
    rows = np.flatnonzero(~subject.complete)
    if len(rows):
        name = inventory.scene_ids[inventory.scenes[rows[0]]]
        file = subject.store.unfinished_uris().get(name, "")
        (record,) = subject.snapshot.take(inventory.rowids[rows[:1]], ["xmin", "ymin", "size"]).to_pylist()
        yield Finding(
            "unfinished", f"scenes were not tiled to their end ({len(rows)} tiles are stored)",
            len(np.unique(inventory.scenes[rows])),
            f"scene {file or name}, near {record['xmin']:.5f}, {record['ymin']:.5f} (lon, lat)",
            f"geocmer tile {shlex.quote(file) if file else 'SCENE'} --size {record['size']}{subject.option}, with the "
            f"options of then, or geocmer remove {name[:8]}{subject.option}",
        )  # fmt: skip


def damaged_scenes(subject: Subject) -> Iterator[Finding]:
    """Find scenes whose record cannot be read; their tiles are found all the same, and their pixels are not."""
    damaged = subject.store.damaged_scenes()
    if damaged:
        name = next(iter(damaged))
        uri = subject.snapshot.uris.get(name, "SCENE")
        yield Finding(
            "damaged scene", "records of scenes are damaged, so their pixels cannot be read", len(damaged),
            damaged[name],
            f"geocmer tile {shlex.quote(uri)}{subject.option}, with the options of then, which writes the record anew, "
            f"or geocmer remove {name[:8]}{subject.option}",
        )  # fmt: skip


def dead_vectors(subject: Subject) -> Iterator[Finding]:
    """Find vectors of encoders that neither answer nor are on the way."""
    dead = sorted(subject.store.dead_vectors())
    if dead:
        what = "columns hold vectors that no search reads any more"
        yield Finding("dead vectors", what, len(dead), f"column {dead[0]}", subject.fix)


def pending_encoder(subject: Subject) -> Iterator[Finding]:
    """Find a re-embedding that did not come to its end."""
    pending = subject.store.pending_encoder
    if pending is not None:
        lacking = sum(len(keys) for keys in subject.store.iter_unembedded(pending))
        more = f" --adapter {shlex.quote(pending.adapter)}" if pending.adapter else ""
        more += f" --views {pending.views}" if pending.views > 1 else ""
        yield Finding(
            "re-embedding", "tiles have no vector of the model that the store is being embedded with; the old answer",
            lacking, pending.title, f"geocmer embed --model {shlex.quote(pending.model)}{more}{subject.option}",
        )  # fmt: skip


def memory_mapped_caches(subject: Subject) -> Iterator[Finding]:
    """Find memory-mapped caches that are stale or differ from the store."""
    remedy = f"{subject.fix}, which removes it, and makes a new one if the store is large"
    stale = mmap_cache.stale_folders(subject.snapshot)
    if stale:
        yield Finding("stale cache", "memory-mapped caches are of no use any more", len(stale), str(stale[0]), remedy)
    cache = mmap_cache.find_cache(subject.snapshot)
    wrong = subject.inventory.cache_mismatches
    if wrong and cache is not None:
        yield Finding(
            "wrong cache", "rows of the memory-mapped cache are not the store's", wrong, str(cache.folder), remedy
        )  # fmt: skip


def encoder(subject: Subject) -> Iterator[Finding]:
    """Compare fingerprints by the adapter's files alone: a second instead of loading the towers."""
    info, remedy = subject.store.encoder, f"put back what made them, or make them anew: geocmer embed{subject.option}"
    if info is None:
        return
    if not is_known(info.model, info.adapter):
        subject.notes.append(f"{info.title} was not used on this computer before, so its files were not looked at")
        return
    if info.adapter and not Path(info.adapter).is_dir():
        yield Finding(
            "encoder", "adapter that made the vectors is gone", 1, info.adapter,
            f"put it back, or embed with another: geocmer embed --model {shlex.quote(info.model)}{subject.option}",
        )  # fmt: skip
        return
    if not subject.quick:
        forget_hashes()
    try:
        installed = expected_fingerprint(info.model, info.adapter or None, info.views)
    except ModelError as error:
        yield Finding("encoder", "adapter that made the vectors cannot be read", 1, str(error), remedy)
        return
    if installed is None:
        subject.notes.append(
            f"whether {info.model} is still what made the vectors was not checked: it takes loading it"
        )
    elif installed != info.fingerprint:
        yield Finding(
            "encoder", "installed model is not the one that made the vectors", 1,
            f"{info.title}; installed is {installed[:8]}", remedy,
        )  # fmt: skip


def records(subject: Subject) -> Iterator[Finding]:
    """Find concepts and saved searches that cannot be read."""
    for kind, kept in (("concept", concepts_of(subject.store)), ("saved search", searches_of(subject.store))):
        damaged = kept.damaged()
        if damaged:
            name, reason = next(iter(damaged.items()))
            yield Finding("record", f"records of a {kind} cannot be read", len(damaged), name, reason)


def indices(subject: Subject) -> Iterator[Finding]:
    """Find rows that an index does not cover yet."""
    for name, behind in subject.store.unindexed().items():
        if behind is None or behind:
            what = "tiles are not in an index yet, so regions are searched more slowly"
            count = subject.store.count() if behind is None else behind
            yield Finding("index", what, count, f"index on {name}", subject.fix)


def maintenance(subject: Subject) -> Iterator[Finding]:
    """Find fragments, versions and files that upkeep would merge or clear."""
    for name, pending in subject.store.pending_maintenance().items():
        if pending.fragments:
            what = "fragments hold the rows: too many, too small, or full of what was deleted"
            yield Finding("fragments", what, pending.fragments, f"table {name}", subject.fix)
        if pending.versions:
            what = "old versions can be cleared"
            yield Finding("old versions", what, len(pending.versions), f"{name}, {pending.versions[0]}", subject.fix)
        if pending.orphans:
            what = "files were left by writes that never came to their end"
            yield Finding("orphan", what, len(pending.orphans), str(pending.orphans[0]), subject.fix)


CHECKS: tuple[Check, ...] = (
    torn_files,
    damaged_files,
    duplicates,
    invalid_vectors,
    unembedded_tiles,
    unfinished_scenes,
    damaged_scenes,
    dead_vectors,
    pending_encoder,
    memory_mapped_caches,
    encoder,
    records,
    indices,
    maintenance,
)
"""All of them but `scene_files.scene_files`, which no repair changes."""
