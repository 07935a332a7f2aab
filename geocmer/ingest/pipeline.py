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
from ..imagery.address import SceneAddress
from ..imagery.bands import parse_bands
from ..imagery.grid import Grid, scene_id, tile_ids
from ..imagery.origins import remember_origins, trusts_sources
from ..imagery.remote_raster import inspect_raster
from ..imagery.scene import Scene
from ..imagery.scene_options import SceneOptions
from ..imagery.scene_source import SceneSource
from ..imagery.stretch import PERCENTILE, StretchRule
from ..imagery.tiling import TileReader, TilingReport
from ..landcover.categories import Rules, load_rules
from ..landcover.layer import LandCover
from ..models.ground_scale import scale_note
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
    trust_sources: bool = False

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

    def of_scene(self, source: SceneSource) -> SceneOptions:
        """Say how a scene is read: the user's own time counts before that of what names the scene."""
        time, teller = self.datetime, "as given"
        if time is None and source.item is not None:
            time, teller = source.datetime, source.item.name
        return SceneOptions(self.bands, self.nodata, self.gcps, time, teller, self.stretch, self.trust_sources)


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


def scene_source(name: str | Path | SceneAddress | SceneSource) -> SceneSource:
    """Take a scene by its name, its address, or as `find_scenes` found it."""
    return name if isinstance(name, SceneSource) else SceneSource(SceneAddress.of(name))


def check_inputs(
    path: str | Path | SceneSource, options: TileOptions, land_cover: LandCover | None = None
) -> None:  # fmt: skip
    """Refuse what `ingest` would refuse, before a store is created or a model loaded.

    Raises:
        GeocmerError: the scene cannot be used, or the land cover lies elsewhere.
    """
    source = scene_source(path)
    with Scene.open(source.address, options=options.of_scene(source)) as scene:
        grid = Grid.over(scene, options.size, options.stride, options.gsd)
        if land_cover is not None:
            land_cover.fit(grid)


def ingest(
    path: str | Path | SceneSource,
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
    after success it does nothing; of a scene on a server only its first bytes are asked for then.

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
    source, options = scene_source(path), options or TileOptions()
    address = source.address
    if encoder is not None:
        store.claim_encoder(encoder_info(encoder))
    settings = TilingSettings(land_cover.hash if land_cover else None, repr(rules), options.min_valid)
    if address.remote:
        finished = _find_finished(source, store, options, settings, land_cover)
        if finished is not None:
            remember_origins([address.origin])
            return IngestReport(
                str(address), finished.report, _embed_missing(store, encoder, finished.id), ("not changed",)
            )
    with Scene.open(address, options=options.of_scene(source)) as scene:
        remember_origins(scene.origins, address if options.trust_sources and address.remote else None)
        grid = Grid.over(scene, options.size, options.stride, options.gsd)
        scene_key = scene_id(scene.content_hash, scene.view, grid)
        stored = store.scene(scene_key)
        if stored is not None and options.datetime is not None and stored.datetime != options.datetime:
            raise InputError(
                f"scene {address} is stored as taken {stored.datetime}, not {options.datetime}; tile it into a new "
                "store"
            )
        if stored is not None and same_settings(stored, settings, land_cover):
            old = SceneAddress.of(stored.uri)
            if not old.remote and not old.path.is_file():  # moved: its tiles are read from here from now on
                store.add_scene(replace(stored, uri=address.absolute))
            return IngestReport(
                str(address),
                stored.report,
                _embed_missing(store, encoder, scene_key),
                (scene.bands_note,),
            )
        if land_cover is not None:
            land_cover.fit(grid)
        name_of = tile_ids(scene.content_hash, scene.view, grid)
        ids = [name_of(row, col) for row, col in grid.windows()]
        known_ids = store.existing_ids(ids)
        stretch = scene.stretch()
        # With land cover, existing tiles are read too: their category may come from another layer.
        skip = known_ids.__contains__ if land_cover is None else None
        reader = TileReader(scene, grid, stretch, options.min_valid, skip, on_window)
        writer = TileWriter(store, encoder, land_cover, rules or load_rules(), scene.datetime, known_ids)
        store.begin_scene(scene_key, address.absolute)
        writer.write(reader)
        _require_unchanged(scene, store, None if stored else scene_key)
        store.add_scene(
            SceneRow(
                id=scene_key, uri=address.absolute, content_hash=scene.content_hash, crs=scene.crs.to_wkt(),
                transform=tuple(scene.transform[:6]), width=scene.width, height=scene.height, gsd=scene.gsd,
                bands=scene.bands, stretch=stretch, grid=_grid_record(grid, options),
                report=reader.report, datetime=scene.datetime, settings=settings,
                created_at=dt.datetime.now(dt.UTC), item=source.item,
            )
        )  # fmt: skip
        store.upkeep()
    clouds = source.item.note if source.item else ""
    known = getattr(encoder, "ground_m", ())  # an encoder of one's own need not say what it knows
    scale = scale_note(known, grid.gsd, grid.size)
    notes = (*scene.notes, *filter(None, (clouds, scale)), *writer.notes(), *(land_cover.notes if land_cover else ()))
    return IngestReport(str(address), reader.report, writer.added + _embed_missing(store, encoder, scene_key), notes)


def _find_finished(
    source: SceneSource, store: Store, options: TileOptions, settings: TilingSettings, land_cover: LandCover | None
) -> SceneRow | None:
    """Find a scene on a server that was tiled in this way, by what the server says of it alone."""
    rows = [row for row in store.scenes_of(source.address.absolute) if same_settings(row, settings, land_cover)]
    asked = (options.size, options.stride or options.size, options.gsd, options.nodata, options.gcps, options.bands)
    rule = None if options.stretch == PERCENTILE else options.stretch.text
    for row in rows:
        grid = row.grid
        was = (grid.size, grid.stride, grid.requested_gsd, grid.nodata, grid.gcps, grid.requested_bands)
        taken = options.datetime in (None, row.datetime)
        if (*asked, rule) == (*was, grid.stretch_rule) and taken:
            trusted = options.trust_sources or trusts_sources(source.address)
            if inspect_raster(source.address, trusted).hash == row.content_hash:
                return row
    return None


def _require_unchanged(scene: Scene, store: Store, unfinished: str | None) -> None:
    """Keep no tiles of a scene that was written to while it was read: they show now the one, now the other."""
    try:
        scene.require_unchanged()
    except InputError:
        if unfinished is not None:
            store.remove_scene(unfinished)
        raise


def _grid_record(grid: Grid, options: TileOptions) -> GridRecord:
    """Keep the grid and what else reading the same pixels again takes."""
    return GridRecord(
        size=grid.size, stride=grid.stride, transform=tuple(grid.transform[:6]), width=grid.width, height=grid.height,
        scale=grid.scale_x, gsd=grid.gsd, requested_gsd=grid.requested_gsd, nodata=options.nodata, gcps=options.gcps,
        stretch_rule=None if options.stretch == PERCENTILE else options.stretch.text, requested_bands=options.bands,
    )  # fmt: skip


def same_settings(stored: SceneRow, settings: TilingSettings, land_cover: LandCover | None) -> bool:
    """Whether a complete scene was tiled with these settings; without land cover its categories are not compared."""
    before = stored.settings if land_cover is not None else replace(settings, min_valid=stored.settings.min_valid)
    return before == settings


def _embed_missing(store: Store, encoder: Encoder | None, scene: str) -> int:
    """Embed the tiles of a complete scene that were stored without vectors."""
    return 0 if encoder is None else embed_missing(store, encoder, scene)
