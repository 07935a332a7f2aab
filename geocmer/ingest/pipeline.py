"""From a scene on disk to tiles in a store: the steps of `geocmer tile`, in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .._types import Progress
from ..errors import InputError
from ..imagery.acquisition import parse_datetime
from ..imagery.bands import parse_bands
from ..imagery.grid import Grid, scene_id, tile_id
from ..imagery.scene import Scene, SceneOptions
from ..imagery.stretch import PERCENTILE, StretchRule
from ..imagery.tiling import TileReader, TilingReport
from ..landcover.categories import Rules, load_rules
from ..landcover.layer import LandCover
from ..store.scene_row import GridRecord, SceneRow, TilingSettings
from ..store.store import Store
from .reembed import embed_missing
from .writer import TileWriter, encoder_info

if TYPE_CHECKING:
    from ..models.encoder import Encoder


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How a scene is divided into tiles; see `Grid.over` and `SceneOptions`."""

    size: int = 224
    stride: int | None = None
    bands: tuple[int, ...] | None = None
    gsd: float | None = None
    min_valid: float = 0.5
    nodata: float | None = None
    gcps: bool = False
    datetime: dt.datetime | None = None
    stretch: StretchRule = PERCENTILE

    @classmethod
    def of(
        cls, *, bands: Sequence[int] | str | None = None, datetime: dt.datetime | str | None = None,
        stretch: StretchRule | str = PERCENTILE, **others: Any,
    ) -> Self:  # fmt: skip
        """Make options of values as people write them: "4,3,2", "2021-06-01", "minmax"; `others` are the fields.

        Raises:
            InputError: a text cannot be read.
        """
        numbers = parse_bands(bands) if isinstance(bands, str) else bands
        time = parse_datetime(datetime) if isinstance(datetime, str) else datetime
        rule = StretchRule.parse(stretch) if isinstance(stretch, str) else stretch
        return cls(bands=None if numbers is None else tuple(numbers), datetime=time, stretch=rule, **others)

    @property
    def scene(self) -> SceneOptions:
        """How scenes are read."""
        return SceneOptions(self.bands, self.nodata, self.gcps, self.datetime, self.stretch)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What was done with one scene."""

    scene: str
    tiling: TilingReport
    added: int
    """Number of tiles written by this run."""
    notes: tuple[str, ...]
    """What the user should know: band choice, land-cover warnings, the device."""

    def lines(self) -> list[str]:
        """Give the report as lines of text."""
        outcome = "nothing to do, all its tiles are in the store"
        if self.added:
            outcome = f"{self.added} tiles added"
        elif not self.tiling.made:
            outcome = "no tile was made, for the reasons below; a smaller --size or a lower --min-valid keeps more"
        return [f"{self.scene}: {outcome}", *(f"  {line}" for line in (*self.tiling.lines(), *self.notes))]

    def to_json(self) -> dict[str, Any]:
        """Give the report as a JSON object."""
        return {"scene": self.scene, "added": self.added, "tiling": self.tiling.to_json(), "notes": list(self.notes)}


def check_inputs(path: str | Path, options: TileOptions, land_cover: LandCover | None = None) -> None:
    """Refuse what `ingest` would refuse, before a store is created or a model loaded.

    Raises:
        GeocmerError: the scene cannot be used, or the land cover lies elsewhere.
    """
    with Scene.open(path, options=options.scene) as scene:
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
) -> IngestReport:
    """Tile a scene, categorise and embed its tiles, store them.

    Each batch of tiles is one commit, and the scene's own row comes last: after an interrupt the same call goes on, and
    after success it does nothing.

    Args:
        path: the scene.
        store: receives the tiles.
        encoder: None stores the tiles without vectors.
        options: tile size, stride, bands, resolution.
        land_cover: source of the categories; None leaves existing categories unchanged.
        rules: from class shares to a category; the bundled rules if None.
        on_window: progress, (done, total) windows.

    Raises:
        GeocmerError: the scene, the land cover or the store cannot be used, or the store has another encoder.
    """
    options = options or TileOptions()
    if encoder is not None:
        store.claim_encoder(encoder_info(encoder))
    with Scene.open(path, options=options.scene) as scene:
        grid = Grid.over(scene, options.size, options.stride, options.gsd)
        scene_key = scene_id(scene.content_hash, scene.view, grid)
        stored = store.scene(scene_key)
        settings = TilingSettings(land_cover.hash if land_cover else None, repr(rules), options.min_valid)
        if stored is not None and options.datetime is not None and stored.datetime != options.datetime:
            raise InputError(
                f"scene {path} is stored as taken {stored.datetime}, not {options.datetime}; tile it into a new store"
            )
        if stored is not None and same_settings(stored, settings, land_cover):
            if not Path(
                stored.uri
            ).is_file():  # it was moved: the tiles are the same, and are read from here from now on
                store.add_scene(replace(stored, uri=str(Path(path).resolve())))
            return IngestReport(
                str(path),
                stored.report,
                _embed_missing(store, encoder, scene_key),
                (scene.bands_note,),
            )
        if land_cover is not None:
            land_cover.fit(grid)
        ids = [tile_id(scene.content_hash, scene.view, grid, row, col) for row, col in grid.windows()]
        known_ids = store.existing_ids(ids)
        stretch = scene.stretch()
        # With land cover, existing tiles are read too: their category may come from another layer.
        skip = known_ids.__contains__ if land_cover is None else None
        reader = TileReader(scene, grid, stretch, options.min_valid, skip, on_window)
        writer = TileWriter(store, encoder, land_cover, rules or load_rules(), scene.datetime, known_ids)
        store.begin_scene(scene_key, str(Path(path).resolve()))
        for tile in reader:
            writer.add(tile)
        writer.flush()
        store.add_scene(
            SceneRow(
                id=scene_key, uri=str(Path(path).resolve()), content_hash=scene.content_hash, crs=scene.crs.to_wkt(),
                transform=tuple(scene.transform[:6]), width=scene.width, height=scene.height, gsd=scene.gsd,
                bands=scene.bands, stretch=stretch, grid=_grid_record(grid, options),
                report=reader.report, datetime=scene.datetime, settings=settings,
                created_at=dt.datetime.now(dt.UTC),
            )
        )  # fmt: skip
        store.upkeep()
    notes = (*scene.notes, *writer.notes(), *(land_cover.notes if land_cover else ()))
    return IngestReport(str(path), reader.report, writer.added + _embed_missing(store, encoder, scene_key), notes)


def _grid_record(grid: Grid, options: TileOptions) -> GridRecord:
    """Keep the grid and what else reading the same pixels again takes."""
    return GridRecord(
        size=grid.size, stride=grid.stride, transform=tuple(grid.transform[:6]), width=grid.width, height=grid.height,
        scale=grid.scale_x, gsd=grid.gsd, requested_gsd=grid.requested_gsd, nodata=options.nodata, gcps=options.gcps,
        stretch_rule=None if options.stretch == PERCENTILE else options.stretch.text,
    )  # fmt: skip


def same_settings(stored: SceneRow, settings: TilingSettings, land_cover: LandCover | None) -> bool:
    """Whether a complete scene was tiled with these settings; without land cover its categories are not compared."""
    before = stored.settings if land_cover is not None else replace(settings, min_valid=stored.settings.min_valid)
    return before == settings


def _embed_missing(store: Store, encoder: Encoder | None, scene: str) -> int:
    """Embed the tiles of a complete scene that were stored without vectors."""
    return 0 if encoder is None else embed_missing(store, encoder, scene)
