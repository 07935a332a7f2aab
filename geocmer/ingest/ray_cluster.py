"""Tiling on many machines with Ray: `ingest` in many workers, each with its model, and one process that commits.

A worker tiles a scene with the same function as one machine does, and writes its tiles to files (`store.fragments`);
the process that asked commits those of a group of scenes at once. A worker that dies is started again by Ray with the
scene it had. Nothing here needs Ray until it is used.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import GeocmerError, InputError, ModelError, StoreError
from ..imagery.scene_source import SceneSource
from ..store.address import set_storage_options, storage_options
from ..store.fragments import FragmentStore, WrittenTiles, commit_written
from ..store.store import Store
from .ingest_report import IngestReport
from .pipeline import ingest
from .plan import IngestPlan
from .scenes import SceneFailure, SceneProgress
from .writer import encoder_info

if TYPE_CHECKING:
    from ..models.encoder import Encoder

LOCAL = "local"
"""The address that starts Ray on this machine."""
GROUP_SCENES = 64
"""Scenes of one commit, at most."""
GROUP_SECONDS = 60.0
"""A commit is made after so long at least: what an interrupt can lose."""
MAX_RESTARTS = 3
"""So often a worker that dies is started again, and its scene tried again, before the scene is given up."""

Written = tuple[IngestReport, WrittenTiles]


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder the workers load; see `Encoder.load`. It is settled, and trusted, where the command was given."""

    model: str
    adapter: str | None = None
    device: str = "auto"
    views: int = 1


class SceneWorker:
    """Tiles scenes one after the other, in a process of its own. It holds the model."""

    def __init__(
        self, store: str, plan: IngestPlan, choice: EncoderChoice | None, options: Mapping[str, str] | None
    ) -> None:
        from ..models.encoder import Encoder

        set_storage_options(options or {})
        self._store, self._plan = store, plan
        self._encoder: Encoder | None = None
        if choice is not None:
            self._encoder = Encoder.load(choice.model, choice.adapter, choice.device, choice.views)

    def encoder_info(self) -> Any:
        """Describe the encoder, as the store records it."""
        return None if self._encoder is None else encoder_info(self._encoder)

    def tile(self, source: SceneSource) -> Written | SceneFailure:
        """Tile a scene; one that cannot be used is no error of the worker."""
        store = FragmentStore(self._store)
        plan = self._plan
        try:
            report = ingest(
                source, store, self._encoder, plan.options, land_cover=plan.land_cover, rules=plan.rules
            )  # fmt: skip
        except (StoreError, ModelError):
            raise
        except GeocmerError as error:
            return SceneFailure(str(source), str(error))
        return report, store.written


@dataclass(slots=True)
class _Group:
    """What was written and is not committed yet."""

    began: float = field(default_factory=time.monotonic)
    parts: list[tuple[SceneSource, Written]] = field(default_factory=list)

    def is_due(self) -> bool:
        return len(self.parts) >= GROUP_SCENES or time.monotonic() - self.began > GROUP_SECONDS

    def commit(self, store: Store) -> tuple[list[IngestReport], list[SceneSource]]:
        """Commit, and give the reports, and the scenes to be run again as others wrote some of their tiles."""
        taken = commit_written(store, [written for _, (_, written) in self.parts])
        done = [report for (_, (report, _)), ok in zip(self.parts, taken, strict=True) if ok]
        again = [source for (source, _), ok in zip(self.parts, taken, strict=True) if not ok]
        self.parts, self.began = [], time.monotonic()
        return done, again


def ingest_on_ray(
    sources: Sequence[SceneSource],
    store: Store,
    plan: IngestPlan,
    choice: EncoderChoice | None,
    address: str = LOCAL,
    *,
    workers: int | None = None,
    fail_fast: bool = False,
    on_scene: SceneProgress | None = None,
) -> Iterator[IngestReport | SceneFailure]:
    """Add scenes to a store on a Ray cluster, and yield what became of each once it is committed.

    Args:
        sources: the scenes; every machine of the cluster must reach them and the store by the same names.
        store: receives the tiles.
        plan: as for one machine.
        choice: the encoder of the workers; None stores the tiles without vectors.
        address: `local` starts Ray here, `auto` finds one that runs here, `ray://HOST:10001` or `HOST:6379` another.
        workers: how many; None: one for each GPU, or for each processor where there is none.
        fail_fast: raise for the first scene that cannot be used.
        on_scene: called once with a label; gives what is called with (done, total) scenes.

    Raises:
        GeocmerError: Ray is not installed or not there, the store or the model cannot be used, none of the scenes
            can, or, with `fail_fast`, one cannot.
    """
    ray = _connect(address)
    gpus = int(ray.cluster_resources().get("GPU", 0))
    count = min(workers or gpus or int(ray.cluster_resources().get("CPU", 1)), max(1, len(sources)))
    needs = {"num_gpus": 1} if gpus else {"num_cpus": 1}
    remote = ray.remote(**needs, max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS)(SceneWorker)
    idle = [remote.remote(store.path, plan, choice, storage_options(store.path)) for _ in range(count)]
    try:
        if choice is not None:
            store.claim_encoder(_get(ray, idle[0].encoder_info.remote()))
        label = f"{len(sources)} scenes, {count} workers"
        with on_scene(label) if on_scene else nullcontext(lambda *_: None) as progress:
            failed = 0
            for done, result in enumerate(_run(ray, idle, list(sources), store), 1):
                progress(done, len(sources))
                if isinstance(result, SceneFailure):
                    failed += 1
                    if fail_fast or len(sources) == 1:
                        raise InputError(result.reason)
                yield result
        store.upkeep()
        if failed == len(sources):
            raise InputError(f"none of the {failed} scenes can be used, for the reasons above")
    finally:
        for actor in idle:
            ray.kill(actor)
        if address == LOCAL:
            ray.shutdown()


def _run(
    ray: Any, actors: list[Any], waiting: list[SceneSource], store: Store
) -> Iterator[IngestReport | SceneFailure]:
    """Keep every worker busy, and commit group by group."""
    idle, group = list(actors), _Group()
    running: dict[Any, Any] = {}
    waiting = waiting[::-1]
    while waiting or running or group.parts:
        while waiting and idle:
            actor, source = idle.pop(), waiting.pop()
            running[actor.tile.remote(source)] = actor, source
        ready, _ = ray.wait(list(running), num_returns=1, timeout=GROUP_SECONDS) if running else ([], [])
        for task in ready:
            actor, source = running.pop(task)
            idle.append(actor)
            try:
                result = _get(ray, task)
            except ray.exceptions.RayActorError as error:
                idle.remove(actor)
                yield SceneFailure(str(source), f"its worker died again and again ({str(error).splitlines()[0]})")
                if not (idle or running):
                    raise StoreError("all workers died; see that they have memory, then run it again") from error
                continue
            if isinstance(result, SceneFailure):
                yield result
            else:
                group.parts.append((source, result))
        if group.parts and (group.is_due() or not (running or waiting)):
            reports, again = group.commit(store)
            waiting += again
            yield from reports


def _get(ray: Any, task: Any) -> Any:
    """Wait for a result; an error of geocmer's in a worker is raised as itself."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, GeocmerError) else error) from None


def _connect(address: str) -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError("tiling on many machines needs Ray; install it with: pip install 'geocmer[ray]'") from error
    if ray.is_initialized():
        return ray
    try:
        ray.init(
            address=None if address == LOCAL else address, log_to_driver=False, logging_level=logging.ERROR,
            include_dashboard=False if address == LOCAL else None, configure_logging=True,
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"there is no Ray cluster at {address!r} ({reason}); start one with `ray start --head`, or give local"
        ) from error
    return ray
