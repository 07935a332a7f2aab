"""Many scenes to one store: each by itself, so that a bad one leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .._types import Progress
from ..errors import GeocmerError, InputError, ModelError, StoreError
from ..imagery.scene_source import SceneSource
from .ingest_report import IngestReport

SceneProgress = Callable[[str], AbstractContextManager[Progress]]
"""Called with a label before each scene; gives what is called with its (done, total) windows."""


@dataclass(frozen=True, slots=True)
class SceneFailure:
    """A scene that was left out, and why."""

    scene: str
    reason: str


def each_scene(
    sources: Sequence[SceneSource],
    add: Callable[[SceneSource, Progress | None], IngestReport],
    fail_fast: bool = False,
    on_scene: SceneProgress | None = None,
) -> Iterator[IngestReport | SceneFailure]:
    """Add scenes one after the other, and yield what became of each.

    Args:
        sources: the scenes.
        add: adds one.
        fail_fast: raise for the first scene that cannot be used, as for a single one.
        on_scene: progress.

    Raises:
        GeocmerError: the store or the model cannot be used, none of the scenes can, or, with `fail_fast`, one cannot.
    """
    failed = 0
    for number, source in enumerate(sources, 1):
        label = source.address.name if len(sources) == 1 else f"{number}/{len(sources)} {source.address.name}"
        bar: AbstractContextManager[Progress | None] = on_scene(label) if on_scene else nullcontext()
        try:
            with bar as progress:
                report = add(source, progress)
        except (StoreError, ModelError):
            raise
        except GeocmerError as error:
            if fail_fast or len(sources) == 1:
                raise
            failed += 1
            yield SceneFailure(str(source), str(error))
        else:
            yield report
    if failed == len(sources):
        raise InputError(f"none of the {failed} scenes can be used, for the reasons above")
