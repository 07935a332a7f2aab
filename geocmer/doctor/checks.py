"""The checks of the doctor, one function each."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._files import hash_file
from .._types import Progress
from ..errors import ModelError
from ..models.encoder import expected_fingerprint
from ..store import mmap_cache
from ..store.schema import SceneRow
from ..store.store import Store
from .inventory import Census
from .report import Finding

_MEND = "geocmer doctor --mend"


def check_rows(store: Store) -> Iterator[Finding]:
    """Find rows that are double, without a vector, with a wrong one, or of an unfinished scene."""
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
    yield from check_caches(store, census.unlike)


def check_caches(store: Store, unlike: int) -> Iterator[Finding]:
    """Find memory-mapped copies that are stale or differ from the store."""
    remedy = f"{_MEND}{_at(store)}, which removes it, and makes a new one if the store is large"
    stale = mmap_cache.stale(store.snapshot())
    if stale:
        yield Finding("stale sidecar", "sidecars are of no use any more", len(stale), str(stale[0]), remedy)
    copy = mmap_cache.fresh(store.snapshot())
    if unlike and copy is not None:
        yield Finding("wrong sidecar", "rows of the sidecar are not the store's", unlike, str(copy.folder), remedy)


def check_encoder(store: Store, notes: list[str]) -> Iterator[Finding]:
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


def check_indices(store: Store) -> Iterator[Finding]:
    """Find rows that an index does not cover yet."""
    for name, behind in store.unindexed().items():
        if behind is None or behind:
            what = "tiles are not in an index yet, so regions are searched more slowly"
            yield Finding(
                "index", what, store.count() if behind is None else behind, f"index on {name}", _MEND + _at(store)
            )


def check_size(store: Store) -> Iterator[Finding]:
    """Find fragments, versions and files that maintenance would clear."""
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


def check_scenes(store: Store, quick: bool, progress: Progress | None) -> Iterator[Finding]:
    """Scenes whose file is gone or has changed. Several grids over one file count once."""
    rows = {scene.uri: scene for scene in store.scenes()}
    hashes = {uri: scene.content_hash for uri, scene in rows.items()}
    gone = [uri for uri in hashes if not Path(uri).is_file()]
    changed: list[str] = []
    unread: list[str] = []
    for done, uri in enumerate([] if quick else hashes, 1):
        try:
            if uri not in gone and hash_file(Path(uri)) != hashes[uri]:
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
