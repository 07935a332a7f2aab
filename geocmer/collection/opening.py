"""Opening: a store, and which encoder goes with it; each is loaded when it is first used."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from inspect import ismethod, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..search.criteria import CONDITIONS, filter_notes, make_filter
from ..store.address import set_storage_options, store_address
from ..store.connection import is_local
from ..store.filter import Filter
from ..store.store import Store
from ..store.versions import parse_version

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.text_encoder import NumpyTextEncoder, TextEncoder
    from ..search.probability import Calibration
    from ..store.vectors import EncoderInfo

Notify = Callable[[str], None]
"""Called with a line for the user: which model is used, how the words were read."""


def check_names(method: Callable[..., Any], given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names of arguments that a method or function lacks, as Python does, and name the nearest that it has.

    Args:
        method: takes some arguments as `**`.
        given: their names.
        known: what these may be, beside those that it names itself.

    Raises:
        TypeError: it has no such argument.
    """
    known = set(known)
    if unknown := next((name for name in given if name not in known), None):
        own = {one.name for one in signature(method).parameters.values() if one.kind is one.KEYWORD_ONLY}
        near = difflib.get_close_matches(unknown, sorted(known | own), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known | own))}"
        raise TypeError(
            f"{'Collection' if ismethod(method) else 'geocmer'}.{method.__name__}() has no argument {unknown!r}; {hint}"
        )


class Opening:
    """A store and its encoder, for the methods of a `Collection`; its arguments are those of `Collection`."""

    def __init__(
        self,
        path: str | Path,
        *,
        as_of: int | str | dt.datetime | None = None,
        model: str | None = None,
        adapter: str | Path | None = None,
        device: str = "auto",
        views: int | None = None,
        encoder: Encoder | None = None,
        storage_options: Mapping[str, str] | None = None,
        notify: Notify | None = None,
    ) -> None:
        self.path = store_address(path)
        if storage_options is not None:
            set_storage_options(storage_options)
        self._as_of = parse_version(as_of) if isinstance(as_of, str) else as_of
        self._model, self._adapter, self._device, self._views = model, adapter, device, views
        self._notify = notify or (lambda _: None)
        self._store: Store | None = None
        self._writable = False
        self._encoder = encoder
        self._text_encoder: NumpyTextEncoder | None = None

    def __repr__(self) -> str:
        return f"Collection({self.path!r})"

    def __len__(self) -> int:
        return self.store.count()

    def is_there(self) -> bool:
        """Return whether the store has been made; an object store is asked."""
        if is_local(self.path):
            return Path(self.path).exists()
        with suppress(StoreError):
            return self.store is not None
        return False

    @property
    def store(self) -> Store:
        """The store underneath.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        if self._store is None:
            self._store = Store.open(self.path, self._as_of)
            if self._store.as_of:
                self._notify(f"reading version {self._store.as_of}")
        return self._store

    @property
    def encoder(self) -> Encoder:
        """The encoder: the one that was named, else the one that made the vectors, else the bundled one.

        Raises:
            ModelError: it cannot be loaded.
        """
        if self._encoder is None:
            from ..models.choose import choose_encoder

            self._encoder = choose_encoder(self._built_with(), *self._named())
            self._notify(f"model {self._encoder.backbone.spec} on {self._encoder.backbone.device}")
        return self._encoder

    def _query_encoder(self, *, images: bool) -> TextEncoder:
        """Load what a question needs: for words alone the text side, if it can be had without torch."""
        from ..models.choose import choose_text_encoder
        from ..models.imported import ImportedEncoder, is_imported

        built = self.store.encoder
        if built and is_imported(built.model) and not images and not (self._model or self._adapter or self._encoder):
            return ImportedEncoder(built.model, built.fingerprint, built.dim)
        if self._text_encoder is None and self._encoder is None and not images:
            self._text_encoder = choose_text_encoder(self._built_with(), *self._named())
            if self._text_encoder:
                self._notify(f"model {self._text_encoder.spec}")
        return (None if images else self._text_encoder) or self.encoder

    def _calibrated_encoder(self) -> tuple[TextEncoder, Calibration | None]:
        """Load what encodes words, and its calibration if it has one; refuse one that did not make the vectors."""
        from ..search.probability import calibration_of

        encoder = self._query_encoder(images=False)
        self.store.require_encoder(encoder.fingerprint)
        return encoder, calibration_of(encoder)

    def _filter(self, filter: Filter | None, conditions: dict[str, Any], method: Callable[..., Any]) -> Filter:
        """Make the filter, and tell what of it may surprise; what is no condition was misspelt for `method`."""
        check_names(method, conditions, CONDITIONS)
        chosen = make_filter(filter, **conditions)
        for note in filter_notes(chosen, self.store):
            self._notify(note)
        return chosen

    def _named(self) -> tuple[str | None, str | Path | None, str, int]:
        """Give the model, adapter, device and views that were named; views that were not are those of the vectors."""
        built = self._made_by()
        return self._model, self._adapter, self._device, self._views or (built.views if built else 1)

    def _built_with(self) -> tuple[str, str] | None:
        """Name model and adapter that made the vectors, if there are any."""
        built = self._made_by()
        return (built.model, built.adapter) if built else None

    def _made_by(self) -> EncoderInfo | None:
        """Tell what made the vectors, if there are any."""
        return self.store.encoder if self._store or self.is_there() else None
