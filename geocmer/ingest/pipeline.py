"""From a scene on disk to tiles in a store: the steps of `geocmer tile`, in order."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._types import Progress
from ..imagery.grid import Grid, scene_id, tile_id
from ..imagery.scene import Scene
from ..imagery.tiling import Account, TileReader
from ..landcover.categories import Rules, load_rules
from ..landcover.layer import LandCover
from ..store.schema import SceneRow
from ..store.store import Store

if TYPE_CHECKING:
    from ..models.encoder import Encoder
from .reembed import encoder_info, reembed
from .writer import TileWriter


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How a scene is cut; see `Grid.over` and `Scene.open`."""

    size: int = 224
    stride: int | None = None
    bands: tuple[int, ...] | None = None
    gsd: float | None = None
    min_valid: float = 0.5


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one scene."""

    scene: str
    account: Account
    added: int
    """Tiles this run wrote."""
    notes: tuple[str, ...]
    """What the user should know: band choice, land-cover warnings, the device."""

    def lines(self) -> list[str]:
        """The account, for saying aloud."""
        done = "nothing to do, all its tiles are in the store"
        if self.added:
            done = f"{self.added} tiles added"
        elif not self.account.made:
            done = "no tile, as told below; a smaller --size or a lower --min-valid keeps more"
        return [f"{self.scene}: {done}", *(f"  {line}" for line in (*self.account.lines(), *self.notes))]

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {"scene": self.scene, "added": self.added, "account": self.account.to_json(), "notes": list(self.notes)}


def check(path: str | Path, options: TileOptions, land_cover: LandCover | None = None) -> None:
    """Refuse what `ingest` would refuse, before a store is made or a model loaded.

    Raises:
        GeocmerError: the scene cannot be used, or the land cover lies elsewhere.
    """
    with Scene.open(path, options.bands) as scene:
        grid = Grid.over(scene, options.size, options.stride, options.gsd)
        if land_cover is not None:
            land_cover.fit(grid)


def ingest(
    path: str | Path,
    store: Store,
    encoder: Encoder | None = None,
    options: TileOptions | None = None,
    *,
    land_cover: LandCover | None = None,
    rules: Rules | None = None,
    on_window: Progress | None = None,
) -> Ingested:
    """Tile a scene, categorise and embed its tiles, store them.

    Each batch of tiles is one commit, and the scene's own row comes last: after an interrupt the same call goes on, and
    after success it does nothing.

    Args:
        path: the scene.
        store: where to.
        encoder: None stores the tiles without vectors.
        options: how to cut.
        land_cover: for the categories; None leaves those that are there as they are.
        rules: from class shares to a category; geocmer's own if None.
        on_window: progress, (done, total) windows.

    Raises:
        GeocmerError: the scene, the land cover or the store cannot be used, or the store has another encoder.
    """
    options = options or TileOptions()
    if encoder is not None:
        if store.encoder is not None:
            store.check(encoder.fingerprint)
        store.begin(encoder_info(encoder))
    with Scene.open(path, options.bands) as scene:
        grid = Grid.over(scene, options.size, options.stride, options.gsd)
        name = scene_id(scene.content_hash, scene.bands, grid)
        done = store.scene(name)
        settings = json.dumps(
            {"cover": land_cover.hash if land_cover else None, "rules": repr(rules), "min_valid": options.min_valid}
        )
        if done is not None and same_settings(done, settings, land_cover):
            if not Path(done.uri).is_file():  # it was moved: its tiles are the same, and are cut from here from now on
                store.add_scene(replace(done, uri=str(Path(path).resolve())))
            return Ingested(
                str(path), Account(**json.loads(done.account)), _complete(store, encoder, name), (scene.bands_note,)
            )
        if land_cover is not None:
            land_cover.fit(grid)
        known = store.known([tile_id(scene.content_hash, scene.bands, grid, row, col) for row, col in grid.windows()])
        stretch = scene.stretch()
        # With land cover, tiles that are there are read too: their category may be from another layer.
        skip = known.__contains__ if land_cover is None else None
        reader = TileReader(scene, grid, stretch, options.min_valid, skip, on_window)
        writer = TileWriter(store, encoder, land_cover, rules or load_rules(), scene.datetime, known)
        for tile in reader:
            writer.add(tile)
        writer.flush()
        store.add_scene(
            SceneRow(
                id=name, uri=str(Path(path).resolve()), content_hash=scene.content_hash, crs=scene.crs.to_wkt(),
                transform=tuple(scene.transform[:6]), width=scene.width, height=scene.height, gsd=scene.gsd,
                bands=scene.bands, stretch=stretch.to_json(), grid=grid.to_json(),
                account=json.dumps(asdict(reader.account)), datetime=scene.datetime,
                landcover=settings, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
        store.upkeep()
    notes = (scene.bands_note, *writer.notes(), *(land_cover.notes if land_cover else ()))
    return Ingested(str(path), reader.account, writer.added + _complete(store, encoder, name), notes)


def same_settings(done: SceneRow, settings: str, land_cover: LandCover | None) -> bool:
    """Whether a complete scene was made as it is asked for now; without land cover its categories are left alone."""
    before, now = json.loads(done.landcover or "{}"), json.loads(settings)
    keys = ("min_valid",) if land_cover is None else ("min_valid", "cover", "rules")
    return all(before.get(key) == now[key] for key in keys)


def _complete(store: Store, encoder: Encoder | None, scene: str) -> int:
    """Embed tiles of complete scenes that were stored without vectors."""
    if encoder is None or not any(
        key.scene_id == scene for keys in store.missing(encoder_info(encoder)) for key in keys
    ):
        return 0
    return reembed(store, encoder)
