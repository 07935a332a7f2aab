"""Keeping: what goes into a store, how it is embedded, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._types import Progress
from ..errors import InputError
from ..store.facts import describe
from ..store.store import Store
from .opening import Opening

if TYPE_CHECKING:
    from ..ingest.pipeline import IngestReport


class Keeping(Opening):
    """How a `Collection` is filled and looked after."""

    def add(
        self,
        scene: str | Path,
        *,
        landcover: str | Path | None = None,
        legend: str | Path | None = None,
        class_column: str | None = None,
        rules: str | Path | None = None,
        embed: bool = True,
        progress: Progress | None = None,
        **tiling: Any,
    ) -> IngestReport:
        """Cut a scene into tiles, categorise, embed and store them; what is there already is left alone.

        Args:
            scene: a GeoTIFF or COG.
            landcover: a raster or a vector file that tells the scene categories.
            legend: name or file of its legend.
            class_column: of a vector file.
            rules: TOML file, from class shares to a category.
            embed: make the vectors too, which searching needs.
            progress: called with (done, total) windows.
            **tiling: how the scene is divided: size, stride, bands, gsd, min_valid; see `TileOptions`.

        Raises:
            GeocmerError: the scene, the land cover, the model or the store cannot be used.
        """
        from ..ingest.pipeline import TileOptions, check_inputs, ingest
        from ..landcover.categories import load_rules
        from ..landcover.layer import LandCover

        if self._as_of is not None:
            raise InputError(f"version {self._as_of} of {self.path} cannot be added to; open the store as it is now")
        options = TileOptions(**tiling)
        cover = LandCover.open(landcover, legend, class_column=class_column) if landcover else None
        named = load_rules(rules)
        check_inputs(scene, options, cover)
        encoder = self.encoder if embed else None
        self._store = Store.open_or_create(self.path)  # last: what failed before leaves nothing behind
        return ingest(scene, self._store, encoder, options, land_cover=cover, rules=named, on_window=progress)

    def embed(
        self, *, model: str | None = None, adapter: str | Path | None = None, progress: Progress | None = None
    ) -> int:
        """Embed the tiles that have no vectors yet, or all of them again with another encoder; return how many.

        The old vectors answer until the new ones are complete; from then on this collection uses the new encoder.

        Args:
            model: towers, see `Encoder.load`. None: those of the adapter, or those used so far.
            adapter: folder of an adapter, as `train` writes it.
            progress: called with (done, total) tiles.

        Raises:
            GeocmerError: the encoder cannot be loaded, or a scene is gone or has changed.
        """
        from ..ingest.reembed import reembed

        store = self.store
        if model is not None or adapter is not None:
            self._model, self._adapter, self._encoder, self._text_encoder = model or self._model, adapter, None, None
        return reembed(store, self.encoder, progress)

    def info(self) -> dict[str, Any]:
        """Return what the store holds: counts, scenes, categories, bounds, model, and the versions that can be read."""
        return describe(self.store)
