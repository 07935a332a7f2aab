"""From a scene on disk to tiles in a store: the steps of `geocmer tile`, in order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .captions import captions_of
from .categories import Rules, category_of, load_rules
from .cuts import Cutter
from .landcover import LandCover
from .scene import Scene
from .schema import SceneRow, TileRow
from .store import Store, TileKey
from .tiles import Account, Grid, Tile, TileReader, scene_id, tile_id
from .vectors import EncoderInfo

if TYPE_CHECKING:
    from .embed import Encoder

BATCH = 128
"""Tiles per write to the store: what an interrupt can lose, and what is held in memory."""

THUMBNAIL = 96
"""Longest side of a stored thumbnail, pixels."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How a scene is cut; see `Grid.over` and `Scene.open`."""

    size: int = 224
    stride: int | None = None
    bands: tuple[int, ...] | None = None
    gsd: float | None = None
    min_valid: float = 0.5


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one scene."""

    scene: str
    account: Account
    added: int
    """Tiles this run wrote."""
    notes: tuple[str, ...]
    """What the user should know: band choice, land-cover warnings, the device."""

    def lines(self) -> list[str]:
        """The account, for saying aloud."""
        done = "nothing to do, all its tiles are in the store"
        if self.added:
            done = f"{self.added} tiles added"
        elif not self.account.made:
            done = "no tile, as told below; a smaller --size or a lower --min-valid keeps more"
        return [f"{self.scene}: {done}", *(f"  {line}" for line in (*self.account.lines(), *self.notes))]

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {"scene": self.scene, "added": self.added, "account": self.account.to_json(), "notes": list(self.notes)}


def encoder_info(encoder: Encoder) -> EncoderInfo:
    """What a store keeps of an encoder."""
    return EncoderInfo(encoder.fingerprint, encoder.backbone.spec, encoder.adapter_name, encoder.dim)


def check(path: str | Path, options: TileOptions, land_cover: LandCover | None = None) -> None:
    """Refuse what `ingest` would refuse, before a store is made or a model loaded.

    Raises:
        GeocmerError: the scene cannot be used, or the land cover lies elsewhere.
    """
    with Scene.open(path, options.bands) as scene:
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
) -> Ingested:
    """Tile a scene, categorise and embed its tiles, store them.

    Each batch of tiles is one commit, and the scene's own row comes last: after an interrupt the same call goes on, and
    after success it does nothing.

    Args:
        path: the scene.
        store: where to.
        encoder: None stores the tiles without vectors.
        options: how to cut.
        land_cover: for the categories; None leaves those that are there as they are.
        rules: from class shares to a category; geocmer's own if None.
        on_window: progress, (done, total) windows.

    Raises:
        GeocmerError: the scene, the land cover or the store cannot be used, or the store has another encoder.
    """
    options = options or TileOptions()
    if encoder is not None:
        if store.encoder is not None:
            store.check(encoder.fingerprint)
        store.begin(encoder_info(encoder))
    with Scene.open(path, options.bands) as scene:
        grid = Grid.over(scene, options.size, options.stride, options.gsd)
        name = scene_id(scene.content_hash, scene.bands, grid)
        done = store.scene(name)
        settings = json.dumps(
            {"cover": land_cover.hash if land_cover else None, "rules": repr(rules), "min_valid": options.min_valid}
        )
        if done is not None and _same(done, settings, land_cover):
            if not Path(done.uri).is_file():  # it was moved: its tiles are the same, and are cut from here from now on
                store.add_scene(replace(done, uri=str(Path(path).resolve())))
            return Ingested(
                str(path), Account(**json.loads(done.account)), _complete(store, encoder, name), (scene.bands_note,)
            )
        if land_cover is not None:
            land_cover.fit(grid)
        known = store.known([tile_id(scene.content_hash, scene.bands, grid, row, col) for row, col in grid.windows()])
        stretch = scene.stretch()
        # With land cover, tiles that are there are read too: their category may be from another layer.
        skip = known.__contains__ if land_cover is None else None
        reader = TileReader(scene, grid, stretch, options.min_valid, skip, on_window)
        writer = _Writer(store, encoder, land_cover, rules or load_rules(), scene.datetime, known)
        for tile in reader:
            writer.add(tile)
        writer.flush()
        store.add_scene(
            SceneRow(
                id=name, uri=str(Path(path).resolve()), content_hash=scene.content_hash, crs=scene.crs.to_wkt(),
                transform=tuple(scene.transform[:6]), width=scene.width, height=scene.height, gsd=scene.gsd,
                bands=scene.bands, stretch=stretch.to_json(), grid=grid.to_json(),
                account=json.dumps(asdict(reader.account)), datetime=scene.datetime,
                landcover=settings, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
        store.upkeep()
    notes = (scene.bands_note, *writer.notes(), *(land_cover.notes if land_cover else ()))
    return Ingested(str(path), reader.account, writer.added + _complete(store, encoder, name), notes)


def reembed(store: Store, encoder: Encoder, progress: Progress | None = None) -> int:
    """Give every tile of a store that lacks one a vector of `encoder`, reading the scenes again, and let these answer.

    Returns:
        How many vectors were made.

    Raises:
        InputError: a scene is no longer where it was, or has changed.
    """
    info = encoder_info(encoder)
    made, total = 0, store.count()

    def encode(keys: list[TileKey]) -> NDArray[np.float32]:
        nonlocal made
        vectors = np.empty((len(keys), encoder.dim), np.float32)
        for scene in dict.fromkeys(key.scene_id for key in keys):
            at = [i for i, key in enumerate(keys) if key.scene_id == scene]
            for start in range(0, len(at), BATCH):
                part = at[start : start + BATCH]
                pictures = [cutter.pixels(scene, keys[i].row, keys[i].col) for i in part]
                vectors[part] = encoder.encode_images(np.stack(pictures))
                made += len(part)
                if progress:
                    progress(made, total)
        return vectors

    with Cutter(store.scenes()) as cutter:
        return store.reembed(info, encode)


def _same(done: SceneRow, settings: str, land_cover: LandCover | None) -> bool:
    """Whether a complete scene was made as it is asked for now; without land cover its categories are left alone."""
    before, now = json.loads(done.landcover or "{}"), json.loads(settings)
    keys = ("min_valid",) if land_cover is None else ("min_valid", "cover", "rules")
    return all(before.get(key) == now[key] for key in keys)


def _complete(store: Store, encoder: Encoder | None, scene: str) -> int:
    """Embed tiles of complete scenes that were stored without vectors."""
    if encoder is None or not any(
        key.scene_id == scene for keys in store.missing(encoder_info(encoder)) for key in keys
    ):
        return 0
    return reembed(store, encoder)


class _Writer:
    """Collects tiles, and writes each batch in one commit."""

    def __init__(
        self, store: Store, encoder: Encoder | None, land_cover: LandCover | None, rules: Rules, taken: datetime | None,
        known: set[str],
    ) -> None:  # fmt: skip
        self._store, self._encoder, self._cover, self._rules = store, encoder, land_cover, rules
        self._taken, self._known = taken, known
        self._rows: list[TileRow] = []
        self._pictures: list[NDArray[np.uint8]] = []
        self._again: list[TileRow] = []
        self._without = 0
        self.added = 0

    def add(self, tile: Tile) -> None:
        row = self._row(tile)
        if tile.id in self._known:
            self._again.append(row)
        else:
            self._rows.append(row)
            self._pictures.append(tile.pixels)
        if max(len(self._rows), len(self._again)) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            vectors = None if self._encoder is None else self._encoder.encode_images(np.stack(self._pictures))
            self.added += self._store.add_tiles(self._rows, vectors)
        if self._again:
            ids, categories, fractions, captions = zip(
                *((r.id, r.category, r.fractions, r.captions) for r in self._again), strict=True
            )
            self._store.set_categories(ids, categories, fractions, captions)
        self._rows, self._pictures, self._again = [], [], []

    def notes(self) -> list[str]:
        """What the user should know of the categories."""
        least = self._rules.least_coverage
        few = f"{self._without} tiles have no category: land cover lies under less than {least:.0%} of them"
        return [few] if self._without else []

    def _row(self, tile: Tile) -> TileRow:
        category, shares, captions = None, None, None
        if self._cover is not None:
            found = self._cover.fractions(tile)
            shares = dict(found.shares)
            words: dict[str, float] = {}
            for label, share in shares.items():
                word = self._cover.legend.category(label)
                words[word] = words.get(word, 0.0) + share
            category = category_of(words, found.coverage, self._rules)
            captions = captions_of(category, words, int(tile.id, 16))
            self._without += category is None
        return TileRow(
            id=tile.id, scene_id=tile.scene_id, row=tile.row, col=tile.col, size=tile.size, geometry=tile.footprint,
            gsd=tile.gsd, valid_share=tile.valid_share, datetime=self._taken, category=category, fractions=shares,
            captions=captions, thumbnail=_thumbnail(tile.pixels),
        )  # fmt: skip


def _thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
