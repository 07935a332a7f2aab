"""Keeping: what goes into a store, how it is embedded, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._types import Progress
from ..errors import InputError, StoreError
from ..models.trust import require_known
from ..store.facts import describe
from ..store.store import Store
from .opening import Opening

if TYPE_CHECKING:
    from ..doctor.report import Report
    from ..imagery.scene_source import SceneSource
    from ..ingest.embedding_import import ImportReport
    from ..ingest.ingest_report import IngestReport
    from ..ingest.plan import IngestPlan
    from ..ingest.scenes import SceneFailure, SceneProgress


class Keeping(Opening):
    """How a `Collection` is filled and looked after."""

    def add(
        self, scene: str | Path | SceneSource, *, plan: IngestPlan | None = None, embed: bool = True,
        progress: Progress | None = None, **settings: Any,
    ) -> IngestReport:  # fmt: skip
        """Cut a scene into tiles, categorise, embed and store them; what is there already is left alone.

        Args:
            scene: a GeoTIFF or COG, also on a server, or as `find_scenes` finds it.
            plan: all settings at once, made once for many scenes.
            embed: make the vectors too, which searching needs.
            progress: called with (done, total) windows.
            **settings: or the same by name: landcover, legend, class_column, layer, rules, and how the scene is read
                and divided, as size or sizes, stride, bands, gsd; see `IngestPlan.of`.

        Raises:
            GeocmerError: the scene, the land cover, the model or the store cannot be used.
        """
        from ..ingest.pipeline import ingest

        plan = self._over(self._plan(plan, settings), [scene])
        if not self._writable:  # what fails leaves no store behind, and fails before a model is loaded
            plan.check(scene)
        existing = self._open_to_write() if self.is_there() else None
        encoder = self.encoder if embed else None
        store = existing or self._open_to_write()
        return ingest(
            scene, store, encoder, plan.options, land_cover=plan.land_cover, rules=plan.rules, on_window=progress
        )

    def add_all(
        self, scenes: Sequence[SceneSource], *, plan: IngestPlan | None = None, embed: bool = True,
        fail_fast: bool = False, on_scene: SceneProgress | None = None, ray: str | None = None, **settings: Any,
    ) -> Iterator[IngestReport | SceneFailure]:  # fmt: skip
        """Add scenes one after the other, and yield what became of each; a bad one leaves the others alone.

        Args:
            scenes: as `find_scenes` finds them: folders, lists, STAC items and so on.
            plan: see `add`.
            embed: see `add`.
            fail_fast: raise for the first scene that cannot be used; all are looked at before the first is tiled.
            on_scene: called with a label before each scene; gives a context with its progress.
            ray: address of a Ray cluster that does it, or `local`; see `ingest.ray_cluster`.
            **settings: see `add`.

        Raises:
            GeocmerError: the store or the model cannot be used, no scene can, or, with `fail_fast`, one cannot.
        """
        from ..ingest.scenes import each_scene

        plan = self._over(self._plan(plan, settings), scenes, on_scene)
        for scene in scenes if fail_fast else ():
            plan.check(scene)
        if ray is not None:
            return self._add_on_ray(scenes, plan, ray, embed=embed, fail_fast=fail_fast, on_scene=on_scene)
        return each_scene(
            scenes, lambda scene, progress: self.add(scene, plan=plan, embed=embed, progress=progress), fail_fast,
            on_scene,
        )  # fmt: skip

    def _add_on_ray(
        self, scenes: Sequence[SceneSource], plan: IngestPlan, address: str, *, embed: bool, **options: Any
    ) -> Iterator[IngestReport | SceneFailure]:
        """Add scenes with the workers of a cluster; which model they load is decided here, where it was named."""
        from ..ingest.ray_cluster import EncoderChoice, ingest_on_ray
        from ..models.choose import choose_model

        choice = None
        if embed:
            built = self._built_with()
            adapter = self._adapter or (built[1] if built and self._model is None else None)
            choice = EncoderChoice(
                choose_model(built, self._model, self._adapter), str(adapter) if adapter else None, *self._named()[2:]
            )
            if built is not None and self._model is None and self._adapter is None:
                require_known(*built, "the store")
        return ingest_on_ray(scenes, self._open_to_write(), plan, choice, address, **options)

    def import_embeddings(
        self, path: str | Path, *, model_name: str | None = None, vector_column: str | None = None,
        width: float | None = None, size: int = 224, progress: Progress | None = None,
    ) -> ImportReport:  # fmt: skip
        """Add embeddings that others made, from a GeoParquet table; search by tiles works at once.

        Args:
            path: the table, on the disk or a server.
            model_name: what made the vectors, by name alone; None if it is this collection's `model`, whose words can
                then be asked too.
            vector_column: that holds the vectors, if several do.
            width: metres of a tile, for rows that are points.
            size: pixels along a tile that the model saw; tells the ground resolution.
            progress: called with (done, total) rows.

        Raises:
            GeocmerError: no model is named or two are, the table cannot be used, or the store holds another model's
                vectors.
        """
        from ..ingest.embedding_import import import_embeddings

        if (model_name is None) == (self._model is None and self._encoder is None):
            raise InputError(
                "say what made the vectors: --model-name NAME, or --model MODEL if geocmer loads it; not both"
            )
        encoder = self.encoder if model_name is None else model_name
        return import_embeddings(
            path, self._open_to_write(), encoder, vector_column=vector_column, width=width, size=size, progress=progress
        )

    def embed(
        self, *, model: str | None = None, adapter: str | Path | None = None, views: int | None = None,
        progress: Progress | None = None,
    ) -> int:  # fmt: skip
        """Embed the tiles that have no vectors yet, or all of them again with another encoder; return how many.

        The old vectors answer until the new ones are complete; from then on this collection uses the new encoder.

        Args:
            model: towers, see `Encoder.load`. None: those of the adapter, or those used so far.
            adapter: folder of an adapter, as `train` writes it.
            views: of a tile that are averaged, 1, 2, 4 or 8. None: as many as so far.
            progress: called with (done, total) tiles.

        Raises:
            GeocmerError: the encoder cannot be loaded, or a scene is gone or has changed.
        """
        from ..ingest.reembed import reembed

        store = self.store
        if model is not None or adapter is not None:
            self._model, self._adapter, self._encoder, self._text_encoder = model or self._model, adapter, None, None
        if views is not None:
            self._views, self._encoder, self._text_encoder = views, None, None
        return reembed(store, self.encoder, progress)

    def remove(self, *scenes: str) -> dict[str, int]:
        """Remove scenes and all their tiles, unfinished ones too; the files themselves are left alone.

        Args:
            *scenes: files that were tiled, or beginnings of the ids that `info` lists.

        Returns:
            Id of each scene that was removed -> number of its tiles.

        Raises:
            StoreError: there is no such scene, or several are meant, and then nothing is removed; or the store cannot
                be written.
        """
        found = [scene for name in scenes for scene in self.store.find_scenes(name)]  # all, before any is removed
        unfinished = self.store.unfinished_uris().keys()
        removed = {scene: self.store.remove_scene(scene) for scene in dict.fromkeys(found)}
        for scene in self.store.unfinished_uris().keys() - unfinished:
            self._notify(f"scene {scene[:8]} had tiles in common with what was removed; tile it again to complete it")
        self.store.upkeep()
        return removed

    def doctor(self, *, fix: bool = False, quick: bool = False, progress: Progress | None = None) -> Report:
        """Examine the store: what is missing, unfinished, damaged or in the way, and what fixes it.

        Args:
            fix: merge, rebuild and clear what can be made again; nothing that only you have is ever removed.
            quick: do not read the scenes to see whether they have changed.
            progress: called with (done, total) scenes.

        Raises:
            StoreError: there is none, or it cannot be read at all.
        """
        from ..doctor.run import examine

        try:
            store = self.store
        except StoreError:
            if not fix:
                raise
            store = self._store = Store.open_recovered(self.path)
            self._notify_recovered(store)
        return examine(store, fix, quick, progress)

    def info(self) -> dict[str, Any]:
        """Return what the store holds: counts, scenes, categories, bounds, model, and the versions that can be read."""
        return describe(self.store)

    def _plan(self, plan: IngestPlan | None, settings: dict[str, Any]) -> IngestPlan:
        """Make the plan, unless it was made before."""
        from ..ingest.plan import IngestPlan

        if self._as_of is not None:
            raise InputError(f"version {self._as_of} of {self.path} cannot be added to; open the store as it is now")
        if plan is not None and settings:
            raise InputError(f"a plan and {', '.join(settings)} were given; put everything into the plan")
        return plan or IngestPlan.of(**settings)

    def _over(
        self, plan: IngestPlan, scenes: Sequence[str | Path | SceneSource], on_scene: SceneProgress | None = None
    ) -> IngestPlan:
        """Choose what a plan leaves open over all its scenes, and notify of it."""
        if not plan.shares_stretch:
            return plan
        with on_scene("one stretch") if on_scene else nullcontext() as progress:
            result = plan.over(scenes, progress)
        if result is not plan:
            self._notify(
                f"note: one stretch for all scenes; to tile others like them: --stretch {result.options.stretch.text}"
            )
        return result

    def _open_to_write(self) -> Store:
        """Open the store once to write to it; one that is not there is made, one that was interrupted recovered."""
        if not self._writable:
            self._store, self._writable = Store.open_or_create(self.path), True
            self._notify_recovered(self._store)
        return self.store

    def _notify_recovered(self, store: Store) -> None:
        for note in store.notes:
            self._notify(f"note: {note}")
