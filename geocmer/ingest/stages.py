"""Stages of a pipeline: each runs in a thread of its own, some items ahead of the next, and all stop together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")
_WAIT_SECONDS = 0.1
"""How often a stage that waits looks whether all shall stop."""


class _End:
    """Comes last through a queue, with the error that ended its stage, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _StoppedError(Exception):
    """Another stage failed, and its error is the one to tell."""


class Stages:
    """Runs stages side by side, in a `with` block. The stage of the caller's own thread is the block.

    What was made before an error is passed on before it: a stage that fails ends the stages after it only once they
    have done what they were given. The block's own error, an interrupt above all, stops the stages before it at once;
    what it handed on is still done.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sinks: list[Queue[Any]] = []
        self._error: BaseException | None = None

    def ahead(self, items: Iterable[T], count: int) -> Iterator[T]:
        """Draw from an iterable in a thread, up to `count` items before they are asked for; its errors come in turn."""
        queue: Queue[Any] = Queue(count)

        def run() -> None:
            error = None
            try:
                for item in items:
                    if not self._put(queue, item):
                        return
            except BaseException as caught:
                error = caught
            self._put(queue, _End(error))

        self._start(run)
        return self._drain(queue)

    def sink(self, work: Callable[[T], object], count: int) -> Callable[[T], None]:
        """Do the last step in a thread: returns what hands on an item, and waits while `count` are in line.

        What it returns raises the error of an earlier item. All items are done when the block has ended.
        """
        queue: Queue[Any] = Queue(count)

        def run() -> None:
            while True:
                item = queue.get()
                if isinstance(item, _End):
                    return
                if self._error is None:
                    try:
                        work(item)
                    except BaseException as caught:
                        self._error = caught
                        self._stop.set()

        def put(item: T) -> None:
            if not self._put(queue, item):
                raise _StoppedError

        self._sinks.append(queue)
        self._start(run)
        return put

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop.set()
        for queue in self._sinks:
            queue.put(_End())
        for thread in self._threads:
            thread.join()
        if self._error is not None and (error is None or isinstance(error, _StoppedError)):
            raise self._error from None

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _put(self, queue: Queue[Any], item: object) -> bool:
        """Put an item into a queue as soon as there is room; false if all shall stop."""
        while not self._stop.is_set():
            try:
                queue.put(item, timeout=_WAIT_SECONDS)
            except Full:
                continue
            return True
        return False

    def _drain(self, queue: Queue[Any]) -> Iterator[Any]:
        while True:
            try:
                item = queue.get(timeout=_WAIT_SECONDS)
            except Empty:
                if self._stop.is_set():
                    raise _StoppedError from None
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
