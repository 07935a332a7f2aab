"""From a scene on disk to tiles in a store: the steps of `geocmer tile`, in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._files import is_file
from .._types import Progress
from ..errors import InputError
from ..imagery.address import SceneAddress
from ..imagery.grid import Grid
from ..imagery.ids import scene_id, tile_ids
from ..imagery.origins import remember_origins, trusts_sources
from ..imagery.remote_raster import inspect_raster
from ..imagery.scene import Scene
from ..imagery.scene_source import SceneSource
from ..imagery.stretch import PERCENTILE
from ..imagery.tiling import TileReader
from ..landcover.categories import Rules, load_rules
from ..landcover.layer import LandCover
from ..models.ground_scale import scale_note
from ..store.scene_row import GridRecord, SceneRow, TilingSettings
from ..store.store import Store
from .ingest_report import IngestReport
from .reembed import embed_missing
from .tile_options import TileOptions
from .writer import TileWriter, encoder_info

if TYPE_CHECKING:
    from ..models.encoder import Encoder


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
        for one in options.each_size():
            grid = Grid.over(scene, one.size, one.stride, one.gsd)
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
    after success it does nothing; of a scene on a server only its first bytes are asked for then. Of several sizes each
    has a row of its own, and is finished before the next begins.

    Args:
        path: the scene.
        store: receives the tiles.
        encoder: None stores the tiles without vectors.
        options: tile sizes, stride, bands, resolution.
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
    run = _Run(source, store, encoder, land_cover, rules)
    sizes = options.each_size()
    if address.remote:
        finished = [row for row in map(run.find_finished, sizes) if row is not None]
        if len(finished) == len(sizes):
            remember_origins([address.origin])
            return IngestReport.of_sizes([run.finish(row, "not changed") for row in finished])
    with Scene.open(address, options=options.of_scene(source)) as scene:
        remember_origins(scene.origins, address if options.trust_sources and address.remote else None)
        grids = [Grid.over(scene, one.size, one.stride, one.gsd) for one in sizes]
        shares = _share_progress(on_window, [len(grid) for grid in grids])
        reports = [run.tile(scene, *each) for each in zip(grids, sizes, shares, strict=True)]
        return IngestReport.of_sizes(reports)


@dataclass(frozen=True, slots=True)
class _Run:
    """One scene on its way into a store, on one grid after the other; the attributes are those of `ingest`."""

    source: SceneSource
    store: Store
    encoder: Encoder | None
    land_cover: LandCover | None
    rules: Rules | None

    def find_finished(self, options: TileOptions) -> SceneRow | None:
        """Find a scene on a server that was tiled in this way, by what the server says of it alone."""
        address, settings = self.source.address, self._settings(options)
        rows = [r for r in self.store.scenes_of(address.absolute) if same_settings(r, settings, self.land_cover)]
        asked = (options.size, options.stride or options.size, options.gsd, options.nodata, options.gcps, options.bands)
        rule = None if options.stretch == PERCENTILE else options.stretch.text
        for row in rows:
            grid = row.grid
            was = (grid.size, grid.stride, grid.requested_gsd, grid.nodata, grid.gcps, grid.requested_bands)
            taken = options.datetime in (None, row.datetime)
            if (*asked, rule) == (*was, grid.stretch_rule) and taken:
                trusted = options.trust_sources or trusts_sources(address)
                if inspect_raster(address, trusted).hash == row.content_hash:
                    return row
        return None

    def finish(self, row: SceneRow, note: str) -> IngestReport:
        """Embed the tiles of a complete scene that were stored without vectors."""
        added = self._embed_missing(row.id)
        return IngestReport(str(self.source.address), {row.grid.size: row.report}, added, (note,))

    def tile(self, scene: Scene, grid: Grid, options: TileOptions, on_window: Progress | None) -> IngestReport:
        """Tile the scene on a grid, unless that is done already."""
        address, store, land_cover = self.source.address, self.store, self.land_cover
        settings = self._settings(options)
        scene_key = scene_id(scene.content_hash, scene.view, grid)
        stored = store.scene(scene_key)
        if stored is not None and options.datetime is not None and stored.datetime != options.datetime:
            raise InputError(
                f"scene {address} is stored as taken {stored.datetime}, not {options.datetime}; tile it into a new "
                "store"
            )
        if stored is not None and same_settings(stored, settings, land_cover):
            old = SceneAddress.of(stored.uri)
            if not old.remote and not is_file(old.path):  # moved: its tiles are read from here from now on
                store.add_scene(replace(stored, uri=address.absolute))
            return self.finish(stored, scene.bands_note)
        if land_cover is not None:
            land_cover.fit(grid)
        name_of = tile_ids(scene.content_hash, scene.view, grid)
        known_ids = store.existing_ids([name_of(row, col) for row, col in grid.windows()])
        stretch = scene.stretch()
        # With land cover, existing tiles are read too: their category may come from another layer.
        skip = known_ids.__contains__ if land_cover is None else None
        reader = TileReader(scene, grid, stretch, options.min_valid, skip, on_window)
        writer = TileWriter(store, self.encoder, land_cover, self.rules or load_rules(), scene.datetime, known_ids)
        store.begin_scene(scene_key, address.absolute)
        writer.write(reader)
        _require_unchanged(scene, store, None if stored else scene_key)
        store.add_scene(
            SceneRow(
                id=scene_key, uri=address.absolute, content_hash=scene.content_hash, crs=scene.crs.to_wkt(),
                transform=tuple(scene.transform[:6]), width=scene.width, height=scene.height, gsd=scene.gsd,
                bands=scene.bands, stretch=stretch, grid=_grid_record(grid, options),
                report=reader.report, datetime=scene.datetime, settings=settings,
                created_at=dt.datetime.now(dt.UTC), item=self.source.item,
            )
        )  # fmt: skip
        store.upkeep()
        clouds = self.source.item.note if self.source.item else ""
        known = getattr(self.encoder, "ground_m", ())  # an encoder of one's own need not say what it knows
        scale = scale_note(known, grid.gsd, grid.size)
        cover_notes = land_cover.notes if land_cover else ()
        notes = (*scene.notes, *filter(None, (clouds, scale)), *writer.notes(), *cover_notes)
        added = writer.added + self._embed_missing(scene_key)
        return IngestReport(str(address), {grid.size: reader.report}, added, notes)

    def _settings(self, options: TileOptions) -> TilingSettings:
        return TilingSettings(self.land_cover.hash if self.land_cover else None, repr(self.rules), options.min_valid)

    def _embed_missing(self, scene: str) -> int:
        return 0 if self.encoder is None else embed_missing(self.store, self.encoder, scene)


def _share_progress(progress: Progress | None, totals: Sequence[int]) -> list[Progress | None]:
    """Make a progress for each part of the work, that counts on from the part before."""

    def counted_from(before: int) -> Progress | None:
        return None if progress is None else lambda done, _: progress(before + done, sum(totals))

    return [counted_from(sum(totals[:number])) for number in range(len(totals))]


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
    """Tell whether a complete scene was tiled with these settings; without land cover but for its categories."""
    before = stored.settings if land_cover is not None else replace(settings, min_valid=stored.settings.min_valid)
    return before == settings
