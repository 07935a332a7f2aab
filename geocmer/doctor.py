"""What is not as it should be in a store, and mending what can be made again.

Nothing is ever removed that only the user has: a mend merges, rebuilds, clears what nobody reads, takes out a vector
that is none, or the second copy of a row. What takes pixels or a model is left to the command that is named.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import sidecar
from .census import Census
from .embed import expected_fingerprint
from .errors import ModelError, StoreError
from .scene import content_hash
from .schema import SceneRow
from .search import WIDE
from .store import Store

Progress = Callable[[int, int], None]
_MEND = "geocmer doctor --mend"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: one word or two, always the same for the same thing.
        what: in words.
        count: how many.
        example: one of them.
        remedy: what mends it: a command, or words.
        mended: whether that was done.
    """

    kind: str
    what: str
    count: int
    example: str
    remedy: str
    mended: bool = False
    rows: tuple[Any, ...] = field(default=(), repr=False)

    def lines(self) -> list[str]:
        """For a person."""
        return [
            f"{self.kind}: {self.count} {self.what}",
            f"  for instance {self.example}",
            f"  {'mended' if self.mended else 'to mend'}: {self.remedy}",
        ]

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {name: value for name, value in asdict(self).items() if name != "rows"}


@dataclass(frozen=True, slots=True)
class Report:
    """Findings, and notes on what was not looked at."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing remains to be mended."""
        return all(finding.mended for finding in self.findings)


def doctor(store: Store, mend: bool = False, quick: bool = False, progress: Progress | None = None) -> Report:
    """Look a store over, and mend it if asked to.

    Args:
        store: the newest version of one.
        mend: otherwise nothing is written.
        quick: do not read the scenes to compare their content, only see whether they are there.
        progress: (done, total) scenes.

    Raises:
        StoreError: it cannot be written.
    """
    notes: list[str] = []
    sources = list(_sources(store, quick, progress))
    found = list(_look(store, notes))
    if quick:
        notes.append("whether scenes have changed was not looked at: it takes reading them; leave --quick out")
    if not mend:
        return Report((*found, *sources), tuple(notes))
    for kind, remedy in _MENDS.items():
        for finding in found:
            if finding.kind == kind:
                remedy(store, finding)
    _tend_sidecars(store)  # last: a copy of what is now there
    after = list(_look(store, []))
    left = {finding.kind for finding in after}
    done = [replace(finding, mended=True) for finding in found if finding.kind not in left]
    return Report((*done, *after, *sources), tuple(notes))


def _look(store: Store, notes: list[str]) -> Iterator[Finding]:
    """Everything but the scenes' files."""
    try:
        yield from _rows(store)
        yield from _encoder(store, notes)
        yield from _index(store)
        yield from _size(store)
    except StoreError as error:
        remedy = "put the store back from a backup, or tile the scenes again into a new store: their tiles are the same"
        versions = [version for version in store.versions() if version.rows][:-1]
        if versions:
            remedy += f"; an earlier version may be whole: --as-of {versions[-1].number}"
        yield Finding("unreadable", "of the store's files cannot be read", 1, str(error), remedy)


def _rows(store: Store) -> Iterator[Finding]:
    snapshot, at = store.snapshot(), _at(store)
    census = Census.of(snapshot)
    complete = np.array([name in snapshot.uris for name in census.names], bool)
    whole = complete[census.scenes]
    if len(census.doubles):
        rows = [(census.ids[row].decode(), int(census.rowids[row])) for row in census.doubles]
        yield Finding(
            "double", "rows have the id of another row", len(rows), rows[0][0],
            f"{_MEND}{at}, which keeps one of each", rows=tuple(rows),
        )  # fmt: skip
    wrong = census.ids[census.embedded & ~census.right]
    if len(wrong):
        yield Finding(
            "vector", "vectors are not finite or not of unit length", len(wrong), f"tile {wrong[0].decode()}",
            f"{_MEND}{at}, which takes them out, then geocmer embed{at}",
            rows=tuple(name.decode() for name in wrong),
        )  # fmt: skip
    bare = np.flatnonzero(~census.embedded & whole)
    if len(bare):
        begun = np.isin(census.scenes[bare], census.scenes[census.embedded])
        half = len(np.unique(census.scenes[bare[begun]]))
        row = bare[begun][0] if half else bare[0]
        uri = snapshot.uris[census.names[census.scenes[row]]]
        yield Finding(
            "unembedded", f"tiles have no vector, so no search finds them ({half} scenes are half embedded)", len(bare),
            f"tile {census.ids[row].decode()} of {uri}", f"geocmer embed{at}",
        )  # fmt: skip
    open_ = np.flatnonzero(~whole)
    if len(open_):
        name = census.names[census.scenes[open_[0]]]
        (record,) = snapshot.take(census.rowids[open_[:1]], ["xmin", "ymin", "size"]).to_pylist()
        yield Finding(
            "unfinished", f"scenes were not tiled to their end ({len(open_)} tiles are there)",
            len(np.unique(census.scenes[open_])),
            f"scene {name}, near {record['xmin']:.5f}, {record['ymin']:.5f} (lon, lat)",
            f"geocmer tile SCENE --size {record['size']}{at}, with the scene and options of then: a store knows a "
            "scene's file only once it is complete",
        )  # fmt: skip
    coming = store.coming
    if coming is not None:
        lacking = sum(len(keys) for keys in store.missing(coming))
        adapter = f" --adapter {shlex.quote(coming.adapter)}" if coming.adapter else ""
        yield Finding(
            "re-embedding", "tiles have no vector of a model that the store is on the way to; the old ones answer",
            lacking, coming.title, f"geocmer embed --model {shlex.quote(coming.model)}{adapter}{at}",
        )  # fmt: skip
    yield from _sidecars(store, census.unlike)


def _sidecars(store: Store, unlike: int) -> Iterator[Finding]:
    remedy = f"{_MEND}{_at(store)}, which removes it, and makes a new one if the store is large"
    stale = sidecar.stale(store.snapshot())
    if stale:
        yield Finding("stale sidecar", "sidecars are of no use any more", len(stale), str(stale[0]), remedy)
    copy = sidecar.fresh(store.snapshot())
    if unlike and copy is not None:
        yield Finding("wrong sidecar", "rows of the sidecar are not the store's", unlike, str(copy.folder), remedy)


def _encoder(store: Store, notes: list[str]) -> Iterator[Finding]:
    """Compare fingerprints by the adapter's files alone: a second instead of loading the towers."""
    info, remedy = store.encoder, f"put back what made them, or make them anew: geocmer embed{_at(store)}"
    if info is None:
        return
    if info.adapter and not Path(info.adapter).is_dir():
        yield Finding(
            "encoder", "adapter that made the vectors is gone", 1, info.adapter,
            f"put it back, or embed with another: geocmer embed --model {shlex.quote(info.model)}{_at(store)}",
        )  # fmt: skip
        return
    try:
        installed = expected_fingerprint(info.model, info.adapter or None)
    except ModelError as error:
        yield Finding("encoder", "adapter that made the vectors cannot be read", 1, str(error), remedy)
        return
    if installed is None:
        notes.append(f"whether {info.model} is still what made the vectors was not looked at: it takes loading it")
    elif installed != info.fingerprint:
        yield Finding(
            "encoder", "installed model is not the one that made the vectors", 1,
            f"{info.title}; installed is {installed[:8]}", remedy,
        )  # fmt: skip


def _index(store: Store) -> Iterator[Finding]:
    for name, behind in store.unindexed().items():
        if behind is None or behind:
            what = "tiles are not in an index yet, so regions are searched more slowly"
            yield Finding(
                "index", what, store.count() if behind is None else behind, f"index on {name}", _MEND + _at(store)
            )


def _size(store: Store) -> Iterator[Finding]:
    for name, untidy in store.untidy().items():
        remedy = _MEND + _at(store)
        if untidy.fragments:
            what = "pieces hold the rows: too many, too small, or full of what was deleted"
            yield Finding("fragments", what, untidy.fragments, f"table {name}", remedy)
        if untidy.versions:
            what = "old versions can be cleared"
            yield Finding("old versions", what, len(untidy.versions), f"{name}, {untidy.versions[0]}", remedy)
        if untidy.leftovers:
            what = "files were left by writes that never came to their end"
            yield Finding("leftover", what, len(untidy.leftovers), str(untidy.leftovers[0]), remedy)


def _sources(store: Store, quick: bool, progress: Progress | None) -> Iterator[Finding]:
    """Scenes whose file is gone or has changed. Several grids over one file count once."""
    rows = {scene.uri: scene for scene in store.scenes()}
    hashes = {uri: scene.content_hash for uri, scene in rows.items()}
    gone = [uri for uri in hashes if not Path(uri).is_file()]
    changed: list[str] = []
    unread: list[str] = []
    for done, uri in enumerate([] if quick else hashes, 1):
        try:
            if uri not in gone and content_hash(Path(uri)) != hashes[uri]:
                changed.append(uri)
        except OSError as error:
            unread.append(f"{uri} ({error.strerror})")
        if progress:
            progress(done, len(hashes))
    again = f"geocmer tile NEW_PLACE{_options(rows[gone[0]])}{_at(store)}" if gone else ""
    for kind, what, uris, remedy in (
        ("missing scene", "scenes are no longer where they were", gone, f"put it back, or say where it is: {again}"),
        ("changed scene", "scenes are not what they were", changed,
         "put the old file back (its tiles still answer), or tile the new one into a new store"),
        ("unreadable scene", "scenes cannot be read", unread, "check the disk and the permissions"),
    ):  # fmt: skip
        if uris:
            yield Finding(kind, what, len(uris), uris[0], remedy)


def _options(scene: SceneRow) -> str:
    """Those of `geocmer tile` that a scene was tiled with."""
    grid, settings = json.loads(scene.grid), json.loads(scene.landcover or "{}")
    options = {"size": grid["size"], "stride": grid["stride"], "bands": ",".join(map(str, scene.bands))}
    if grid["scale"] != 1:
        options["gsd"] = grid["gsd"]
    if "min_valid" in settings:
        options["min-valid"] = settings["min_valid"]
    return "".join(f" --{name} {value}" for name, value in options.items())


def _at(store: Store) -> str:
    return f" --store {shlex.quote(store.path)}"


def _tend_sidecars(store: Store) -> None:
    snapshot = store.snapshot()
    copy = sidecar.fresh(snapshot)
    if copy is not None and Census.of(snapshot).unlike:
        shutil.rmtree(copy.folder, ignore_errors=True)
        snapshot.cache.pop("sidecar")
    stale = sidecar.stale(snapshot)
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    if (stale or copy is not None) and snapshot.count() >= WIDE and sidecar.fresh(snapshot) is None:
        sidecar.build(snapshot)


def _forget(store: Store, finding: Finding) -> None:
    info = store.encoder
    if info is not None:
        store.set_vectors(info, finding.rows, None)


_MENDS: dict[str, Callable[[Store, Finding], None]] = {
    "double": lambda store, finding: store.remove_doubles(finding.rows),
    "vector": _forget,
    "index": lambda store, _: store.upkeep(),
    "fragments": lambda store, _: store.upkeep(),
    "old versions": lambda store, _: store.upkeep(),
    "leftover": lambda store, _: store.sweep(),
}
"""What each finding is mended by, in this order; sidecars come after all of them."""
