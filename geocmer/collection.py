"""The front door: a store together with the encoder that made its vectors, and all that one does with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ._files import is_file
from ._types import Progress
from .errors import InputError, StoreError
from .search.criteria import filter_notes, make_filter
from .store.address import store_address
from .store.facts import describe
from .store.filter import Filter
from .store.lance import is_local
from .store.store import Store
from .store.versions import parse_version

if TYPE_CHECKING:
    from .datasets.pairs import PairSet
    from .export.hits import Hits
    from .ingest.pipeline import IngestReport
    from .models.encoder import Encoder
    from .models.text_encoder import NumpyTextEncoder

Notify = Callable[[str], None]
"""Called with a line for the user: which model is used, how the words were read."""
Keep = Literal["best", "newest", "all"]


def open(path: str | Path, **options: Any) -> Collection:  # noqa: A001  # geocmer.open, as gzip.open
    """Open a store of tiles; one that is not there yet is made by the first `add`. For the options see `Collection`.

    Raises:
        StoreError: `path` is not a store, or there is no such version.
    """
    collection = Collection(path, **options)
    _ = collection.is_there() and collection.store
    return collection


class Collection:
    """Tiles, and the encoder that searches them. Made by `geocmer.open`.

    Args:
        path: folder or object store.
        as_of: read it as it was: a version's number, a date or a time; see `Store.open`.
        model: towers, and `adapter`, a folder, see `Encoder.load`. None: what made the vectors, or the bundled ones.
        device: auto, cuda, mps or cpu.
        encoder: one that is loaded already, instead of the last three.
        notify: gets a line about which model is used and how words are read.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        as_of: int | str | dt.datetime | None = None,
        model: str | None = None,
        adapter: str | Path | None = None,
        device: str = "auto",
        encoder: Encoder | None = None,
        notify: Notify | None = None,
    ) -> None:
        self.path = store_address(path)
        self._as_of = parse_version(as_of) if isinstance(as_of, str) else as_of
        self._model, self._adapter, self._device = model, adapter, device
        self._notify = notify or (lambda _: None)
        self._store: Store | None = None
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
            from .models.choose import choose_encoder

            self._encoder = choose_encoder(self._built_with(), self._model, self._adapter, self._device)
            self._notify(f"model {self._encoder.backbone.spec} on {self._encoder.backbone.device}")
        return self._encoder

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
        from .ingest.pipeline import TileOptions, check_inputs, ingest
        from .landcover.categories import load_rules
        from .landcover.layer import LandCover

        if self._as_of is not None:
            raise InputError(f"version {self._as_of} of {self.path} cannot be added to; open the store as it is now")
        options = TileOptions(**tiling)
        cover = LandCover.open(landcover, legend, class_column=class_column) if landcover else None
        named = load_rules(rules)
        check_inputs(scene, options, cover)
        encoder = self.encoder if embed else None
        self._store = Store.open_or_create(self.path)  # last: what failed before leaves nothing behind
        return ingest(scene, self._store, encoder, options, land_cover=cover, rules=named, on_window=progress)

    def search(
        self,
        *texts: str,
        like: str | Path | Sequence[str | Path] = (),
        minus: str | Sequence[str] = (),
        more: str | Sequence[str] = (),
        less: str | Sequence[str] = (),
        filter: Filter | None = None,
        k: int | None = 10,
        keep: Keep = "best",
        min_score: float | None = None,
        literal: bool = False,
        category_prior: float | None = None,
        approximate: bool = False,
        **conditions: Any,
    ) -> Hits:
        """Find the tiles that look most like words, pictures or other tiles, exactly.

        A text that stands alone may ask for relations: "airport near river", "town north of lake and not in forest".

        Args:
            *texts: what to look for; several are averaged.
            like: image files or ids of tiles, averaged with the texts.
            minus: texts to keep away from.
            more: ids of tiles that show what is meant.
            less: ids of tiles that do not.
            filter: conditions that every hit meets.
            **conditions: or the same by name: bbox, region, within, category, since, until, gsd, where;
                see `make_filter`.
            k: how many hits; None for all.
            keep: of hits that show the same place the "best" or the "newest", or "all" of them.
            min_score: least score: a cosine; 0 to 1 for relations.
            literal: take a text as one description, with no relation in it.
            category_prior: prefer tiles of the categories that the words suggest, 0 to 1.
            approximate: use an index, made when it is first needed: quicker, and a hit may be missing.

        Raises:
            InputError: nothing is asked for, or a value cannot be used.
            StoreError: there is no store, it has no vectors, or another encoder made them.
        """
        from .export.hits import Hits
        from .relations.question import Question, answer_question

        chosen = self._filter(filter, conditions)
        question = Question.of(texts, like, minus, more, less, literal=literal)
        store = self.store
        encoder = self._query_encoder(pictures=any(map(is_file, question.like)))
        answer = answer_question(
            store, encoder, question, filter=chosen, k=k, keep=None if keep == "all" else keep, min_score=min_score,
            category_prior=category_prior, approximate=approximate, notify=self._notify,
        )  # fmt: skip
        return Hits.of(answer, question.title)

    def export(
        self, path: str | Path, *, filter: Filter | None = None, thumbnails: bool = False, style: bool = False,
        **conditions: Any,
    ) -> int:  # fmt: skip
        """Write the footprints of all tiles, or of those that meet some conditions; return how many there are.

        Args:
            path: its suffix tells the format, see `geocmer.export.write`.
            filter: conditions on the tiles.
            **conditions: or the same by name.
            thumbnails: write the pictures too.
            style: write a QGIS style beside the file.

        Raises:
            InputError: a condition cannot be read, or the file cannot be written.
        """
        from .export.writer import write
        from .search.vector_search import iter_tiles

        chosen = self._filter(filter, conditions)
        tiles = iter_tiles(self.store, chosen)
        return write(tiles, path, title=self.path, source=self.store.snapshot(), thumbnails=thumbnails, style=style)

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
        from .ingest.reembed import reembed

        store = self.store
        if model is not None or adapter is not None:
            self._model, self._adapter, self._encoder, self._text_encoder = model or self._model, adapter, None, None
        return reembed(store, self.encoder, progress)

    def train(self, out: str | Path, *, progress: Progress | None = None, **settings: Any) -> Path:
        """Train an adapter on these tiles and their land cover, see `geocmer.train`; return its folder."""
        from .datasets.store_pairs import tile_pairs
        from .training.from_pairs import train

        found = tile_pairs(self.store, seed=settings.get("seed", 0))
        for line in (found.summary, *(f"warning: {warning}" for warning in found.warnings)):
            self._notify(line)
        model = self._model or (self._built_with() or (None,))[0]
        return train(found.pairs, out, model=model, device=self._device, progress=progress, **settings)

    def evaluate(self, pairs: str | Path | PairSet, **options: Any) -> list[dict[str, Any]]:
        """Measure this collection's encoder on captioned images, see `geocmer.evaluate`."""
        from .evaluation.rows import evaluate

        return evaluate(pairs, self.encoder, **options)

    def info(self) -> dict[str, Any]:
        """Return what the store holds: counts, scenes, categories, bounds, model, and the versions that can be read."""
        return describe(self.store)

    def _query_encoder(self, *, pictures: bool) -> Encoder | NumpyTextEncoder:
        """Load what a question needs: for words alone the text side, if it can be had without torch."""
        from .models.choose import choose_text_encoder

        if self._text_encoder is None and self._encoder is None and not pictures:
            named = self._model, self._adapter, self._device
            self._text_encoder = choose_text_encoder(self._built_with(), *named)
            if self._text_encoder:
                self._notify(f"model {self._text_encoder.spec}")
        return (None if pictures else self._text_encoder) or self.encoder

    def _filter(self, filter: Filter | None, conditions: dict[str, Any]) -> Filter:
        """Make the filter, and tell what of it may surprise."""
        chosen = make_filter(filter, **conditions)
        for note in filter_notes(chosen, self.store):
            self._notify(note)
        return chosen

    def _built_with(self) -> tuple[str, str] | None:
        """Name model and adapter that made the vectors, if there are any."""
        built = self.store.encoder if self._store or self.is_there() else None
        return (built.model, built.adapter) if built else None
