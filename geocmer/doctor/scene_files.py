"""The check of the files of the scenes: whether they are where they were, and still what was tiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._types import Progress
from ..errors import InputError
from ..imagery.address import SceneAddress
from ..imagery.identity import hash_scene
from ..imagery.origins import unknown_origins
from ..store.scene_row import SceneRow
from .checks import Subject
from .report import Finding


def scene_files(subject: Subject, quick: bool, progress: Progress | None) -> Iterator[Finding]:
    """Find scenes whose file is gone or has changed. Several grids over one file count once."""
    rows = {scene.uri: scene for scene in subject.store.scenes()}
    hashes = {uri: scene.content_hash for uri, scene in rows.items()}
    addresses = {uri: SceneAddress.of(uri) for uri in hashes}
    gone = [uri for uri, address in addresses.items() if not address.remote and not address.path.is_file()]
    unasked = unknown_origins({address.origin for address in addresses.values() if address.remote})
    if unasked:
        subject.notes.append(f"scenes on {', '.join(unasked[:3])} were not looked at: no scene of it was tiled here")
    changed: list[str] = []
    unread: list[str] = []
    for done, uri in enumerate([] if quick else hashes, 1):
        try:
            if uri not in gone and addresses[uri].origin not in unasked and hash_scene(uri) != hashes[uri]:
                changed.append(uri)
        except OSError as error:
            unread.append(f"{uri} ({error.strerror})")
        except InputError as error:
            unread.append(str(error))
        if progress:
            progress(done, len(hashes))
    again = f"geocmer tile NEW_PLACE{tile_options(rows[gone[0]])}{subject.option}" if gone else ""
    for kind, what, uris, remedy in (
        ("missing scene", "scenes are no longer where they were", gone, f"put it back, or say where it is: {again}"),
        ("changed scene", "scenes are not what they were", changed,
         "put the old file back (its tiles still answer), or tile the new one into a new store"),
        ("unreadable scene", "scenes cannot be read", unread, "check the disk, the network and the permissions"),
    ):  # fmt: skip
        if uris:
            yield Finding(kind, what, len(uris), uris[0], remedy)


def tile_options(scene: SceneRow) -> str:
    """Write the options of `geocmer tile` that a scene was tiled with."""
    grid, min_valid = scene.grid, scene.settings.min_valid
    options: dict[str, Any] = {"size": grid.size, "stride": grid.stride, "bands": ",".join(map(str, scene.bands))}
    named = {"gsd": grid.requested_gsd, "min-valid": min_valid, "nodata": grid.nodata, "stretch": grid.stretch_rule}
    options |= {name: value for name, value in named.items() if value is not None}
    return "".join(f" --{name} {value}" for name, value in options.items()) + (" --gcps" if grid.gcps else "")
