"""The encoder: it makes the vectors of a store from images, and the vectors that search it from texts and images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .._files import bundled_file
from ..errors import ModelError
from .backbone import BUNDLED, Backbone
from .file_hashes import hash_parts
from .hole_fill import FILL, fill_holes
from .known_captions import CAPTIONS_FILE, KnownCaptions
from .trust import remember, require_known
from .turns import check_views, views_of
from .weights import DEFAULT_TOWER

if TYPE_CHECKING:
    from .adapter import Adapter
    from .adapter_config import AdapterConfig

IMAGE_BATCH = 32
"""Images that are encoded at once: larger batches gain nothing on CPU and little on a GPU."""

CLIP_SCALE = 100.0
"""Inverse temperature of a model without an adapter: where CLIP's training ends."""


def default_adapter() -> Path:
    """Find the folder of the adapter that ships with geocmer, trained for the bundled towers."""
    return Path(str(bundled_file("adapter")))


@dataclass(frozen=True, slots=True)
class Encoder:
    """Frozen towers with, or without, an adapter.

    Attributes:
        fingerprint: hash of towers, adapter and views, 32 hex digits; vectors of different ones cannot be compared.
        dim: length of a vector.
        captions: of the adapter's training, to which short queries with unknown words are drawn.
        views: of a picture, whose vectors are averaged, see `turns`; words have one.
        calibrated_as: the fingerprint that its calibration names, of one view; "" if it is the same.
    """

    backbone: Backbone
    adapter: Adapter | None
    adapter_name: str
    fingerprint: str
    dim: int
    captions: KnownCaptions | None = None
    views: int = 1
    calibrated_as: str = ""

    @classmethod
    def load(
        cls, model: str = BUNDLED, adapter: str | Path | None = None, device: str = "auto", views: int = 1
    ) -> Encoder:
        """Load an encoder.

        Args:
            model: towers, see `Backbone.load`.
            adapter: folder written by `geocmer train`. None: the shipped adapter for the bundled towers, none for
                a CLIP, whose towers share one space already.
            device: see `choose_device`.
            views: of a picture that are averaged: 1, 2, 4 or 8, at as many times the cost.

        Raises:
            ModelError: towers or adapter cannot be loaded, do not belong together, or an adapter is needed.
        """
        from .adapter import Adapter

        check_views(views)
        folder = adapter_folder(model, adapter)
        backbone = Backbone.load(model, device)
        if folder is None:
            if not backbone.aligned:
                raise ModelError(
                    f"the towers of {model} share no space; give --adapter DIR, made by `geocmer train --model {model}`"
                )
            dim = backbone.text(["probe"]).pooled.shape[-1]
            return cls(backbone, None, "", with_views(_with_fill(backbone.fingerprint), views), dim, views=views)
        loaded = Adapter.load(folder, backbone)
        if folder != default_adapter():
            remember(model, str(folder))
        name = "" if folder == default_adapter() else str(folder.resolve())
        captions = captions_of(folder, loaded.cfg)
        one_view = fingerprint_of(folder, backbone.fingerprint)
        return cls(
            backbone, loaded, name, with_views(one_view, views), loaded.cfg.dim, captions, views, one_view
        )  # fmt: skip

    @classmethod
    def of_store(cls, model: str, adapter: str, device: str = "auto", views: int = 1) -> Encoder:
        """Load the encoder that a store was built with, from the names that the store keeps.

        Raises:
            ModelError: the adapter is no longer where it was, either is neither bundled nor was named here before, or
                see `load`.
        """
        if adapter and not Path(adapter).is_dir():
            raise ModelError(
                f"adapter {adapter}, which built this store, is gone; give --adapter DIR, or run `geocmer embed`"
            )
        require_known(model, adapter, "the store")
        return cls.load(model, adapter or None, device, views)

    @property
    def folder(self) -> Path | None:
        """Folder of the adapter, if there is one."""
        return adapter_folder(self.backbone.spec, self.adapter_name) if self.adapter else None

    @property
    def ground_m(self) -> tuple[float, ...]:
        """Least and greatest side of the ground in a picture that it knows, metres; empty if that is not recorded."""
        return self.adapter.cfg.ground_m if self.adapter else ()

    @property
    def scale(self) -> float:
        """The inverse temperature that the encoder was trained with."""
        return float(self.adapter.log_scale.exp()) if self.adapter else CLIP_SCALE

    def encode_images(self, pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Embed images as unit vectors (n, dim).

        Args:
            pixels: uint8 RGB (n, height, width, 3).
            valid: (n, height, width) True on pixels that show ground; holes are filled, see `fill_holes`, and the focus
                layers of an adapter ignore the tokens in them. None: all do.

        Raises:
            ModelError: the weights are damaged.
        """
        if valid is not None:
            pixels = fill_holes(pixels, valid)
        batches = [np.empty((0, self.dim), np.float32)]
        for start in range(0, len(pixels), IMAGE_BATCH):
            some = slice(start, start + IMAGE_BATCH)
            views = views_of(pixels[some], None if valid is None else valid[some], self.views)
            batches.append(np.mean([self._encode_batch(*view) for view in views], axis=0))
        return self._unit(np.concatenate(batches))

    def _encode_batch(self, pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Embed one view of a few images."""
        features = self.backbone.image(pixels, valid)
        vectors: NDArray[np.float32] = (self.adapter.image(features) if self.adapter else features.pooled).cpu().numpy()
        return vectors if self.views == 1 else self._unit(vectors)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions or queries as unit vectors (n, dim).

        Raises:
            ModelError: a text is empty, or the weights are damaged.
        """
        check_texts(texts)
        features = self.backbone.text(texts)
        if self.adapter is None:
            return self._unit(features.pooled.cpu().numpy())
        vectors = self._unit(self.adapter.text(features).cpu().numpy())
        if self.captions is None:
            return vectors
        return self.captions.blend(
            vectors, features.pooled.cpu().numpy(), self.backbone.tokenize(texts).cpu().numpy(), texts
        )

    def _unit(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring vectors to unit length; those of damaged weights are no numbers, and would rank anyhow."""
        if not np.isfinite(vectors).all():
            name = " + ".join(filter(None, (self.backbone.spec, self.adapter_name)))
            raise ModelError(
                f"{name} makes vectors that are no numbers: its weights are damaged; put them back, or train the "
                "adapter again"
            )
        return l2_normalize(vectors)


def expected_fingerprint(model: str = BUNDLED, adapter: str | Path | None = None, views: int = 1) -> str | None:
    """Compute the fingerprint that `Encoder.load` would find, from the adapter's files; None if there is no adapter.

    An adapter names the towers it belongs to, and loading refuses others.

    Raises:
        ModelError: the adapter cannot be read.
    """
    folder = adapter_folder(model, adapter)
    if folder is None:
        return None
    try:
        towers = json.loads((folder / "config.json").read_text("utf-8"))["fingerprint"]
        return fingerprint_of(folder, towers, views)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"adapter {folder} cannot be read ({error}); put it back, or train it again") from error


def adapter_folder(model: str, adapter: str | Path | None) -> Path | None:
    """Find the folder of an encoder's adapter: the named one, or the one that ships with the bundled towers."""
    if adapter:
        return Path(adapter)
    return default_adapter() if model in (BUNDLED, f"{BUNDLED}/{DEFAULT_TOWER}") else None


def fingerprint_of(folder: Path, towers: str, views: int = 1) -> str:
    """Compute the fingerprint of an encoder, 32 hex digits, from its adapter's weights and its towers' fingerprint."""
    return with_views(_with_fill(hash_parts(folder / "model.safetensors", towers)), views)


def with_views(fingerprint: str, views: int) -> str:
    """Make the number of views a part of a fingerprint, 32 hex digits; one view changes nothing."""
    if views == 1:
        return fingerprint
    return hashlib.blake2b(f"{fingerprint} {views} views".encode(), digest_size=16).hexdigest()


def _with_fill(fingerprint: str) -> str:
    """Make the rule that holes are filled by a part of a fingerprint, 32 hex digits."""
    return hashlib.blake2b(f"{fingerprint} {FILL}".encode(), digest_size=16).hexdigest()


def captions_of(folder: Path, cfg: AdapterConfig) -> KnownCaptions | None:
    """Read the captions that an adapter knows; None if it has none.

    Raises:
        ModelError: their file is damaged, or another adapter's.
    """
    try:
        captions = KnownCaptions.load(folder)
        if captions and (captions.pooled.shape[1], captions.vectors.shape[1]) != (cfg.text_channels, cfg.core_dim):
            raise ValueError("they are another adapter's")
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ModelError(
            f"{folder / CAPTIONS_FILE} is damaged ({str(error)[:100]}); put it back, or train again"
        ) from error
    return captions


def check_texts(texts: Sequence[str]) -> None:
    """Refuse an empty text.

    Raises:
        ModelError: one is empty.
    """
    if not all(text.strip() for text in texts):
        raise ModelError("a query is empty; say what to look for, for instance 'airport near river'")


def l2_normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors (n, dim) to unit length."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
