"""The check of the files of the scenes: whether they are where they were, and still what was tiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .._files import is_file
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
    rows: dict[str, list[SceneRow]] = {}
    for scene in subject.store.scenes():
        rows.setdefault(scene.uri, []).append(scene)
    hashes = {uri: scenes[-1].content_hash for uri, scenes in rows.items()}
    addresses = {uri: SceneAddress.of(uri) for uri in hashes}
    gone = [uri for uri, address in addresses.items() if not address.remote and not is_file(address.path)]
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
    runs = tile_options(rows[gone[0]] if gone else ())
    again = " and ".join(f"geocmer tile NEW_PLACE{options}{subject.option}" for options in runs)
    for kind, what, uris, remedy in (
        ("missing scene", "scenes are no longer where they were", gone, f"put it back, or say where it is: {again}"),
        ("changed scene", "scenes are not what they were", changed,
         "put the old file back (its tiles still answer), or tile the new one into a new store"),
        ("unreadable scene", "scenes cannot be read", unread, "check the disk, the network and the permissions"),
    ):  # fmt: skip
        if uris:
            yield Finding(kind, what, len(uris), uris[0], remedy)


def tile_options(scenes: Iterable[SceneRow]) -> list[str]:
    """Write the options of `geocmer tile` that a scene was tiled with; grids that differ in size alone are one run."""
    sizes: dict[str, list[int]] = {}
    for scene in scenes:
        grid = scene.grid
        options: dict[str, Any] = {"stride": None if grid.stride == grid.size else grid.stride}
        options |= {"bands": ",".join(map(str, scene.bands)), "gsd": grid.requested_gsd}
        options |= {"min-valid": scene.settings.min_valid, "nodata": grid.nodata, "stretch": grid.stretch_rule}
        text = "".join(f" --{name} {value}" for name, value in options.items() if value is not None)
        sizes.setdefault(text + " --gcps" * grid.gcps, []).append(grid.size)
    return [f" --size {','.join(map(str, several))}{text}" for text, several in sizes.items()]
