"""From pictures and words to unit vectors: the encoder that builds a store and asks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._files import bundled_file
from ..errors import ModelError
from .backbone import BUNDLED, Backbone

if TYPE_CHECKING:
    from .adapter import Adapter

BATCH = 32
"""Tiles through the towers at once: larger batches gain nothing on CPU and little on a GPU."""

CLIP_SCALE = 100.0
"""Inverse temperature of a model without an adapter: where CLIP's training ends."""


def default_adapter() -> Path:
    """The adapter that ships with geocmer, trained on RSICD for the bundled towers."""
    return Path(str(bundled_file("adapter")))


@dataclass(frozen=True, slots=True)
class Encoder:
    """Frozen towers with, or without, an adapter.

    Attributes:
        fingerprint: 32 hex digits over towers and adapter; vectors of different fingerprints must never be compared.
        dim: length of a vector.
    """

    backbone: Backbone
    adapter: Adapter | None
    adapter_name: str
    fingerprint: str
    dim: int

    @classmethod
    def load(cls, model: str = BUNDLED, adapter: str | Path | None = None, device: str = "auto") -> Encoder:
        """Load an encoder.

        Args:
            model: towers, see `Backbone.load`.
            adapter: folder written by `geocmer train`. None: the shipped adapter for the bundled towers, none for
                a CLIP, whose towers share one space already.
            device: see `choose_device`.

        Raises:
            ModelError: towers or adapter cannot be loaded, do not belong together, or an adapter is needed.
        """
        from .adapter import Adapter

        folder = adapter_folder(model, adapter)
        backbone = Backbone.load(model, device)
        if folder is None:
            dim = backbone.text(["probe"]).pooled.shape[-1]
            return cls(backbone, None, "", backbone.fingerprint, dim)
        loaded = Adapter.load(folder, backbone)
        name = "" if folder == default_adapter() else str(folder.resolve())
        return cls(backbone, loaded, name, fingerprint_of(folder, backbone.fingerprint), loaded.cfg.dim)

    @classmethod
    def of_store(cls, model: str, adapter: str, device: str = "auto") -> Encoder:
        """The encoder a store was built with, from the names it keeps.

        Raises:
            ModelError: it is no longer where it was.
        """
        if adapter and not Path(adapter).is_dir():
            raise ModelError(
                f"adapter {adapter}, which built this store, is gone; give --adapter DIR, or run `geocmer embed`"
            )
        return cls.load(model, adapter or None, device)

    @property
    def scale(self) -> float:
        """The inverse temperature that the encoder was trained with."""
        return float(self.adapter.log_scale.exp()) if self.adapter else CLIP_SCALE

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dim) of uint8 RGB pictures (n, height, width, 3)."""
        out = [np.empty((0, self.dim), np.float32)]
        for start in range(0, len(pixels), BATCH):
            features = self.backbone.image(pixels[start : start + BATCH])
            vectors = self.adapter.image(features) if self.adapter else features.pooled
            out.append(vectors.cpu().numpy())
        return unit(np.concatenate(out))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dim) of captions or queries.

        Raises:
            ModelError: a text is empty.
        """
        check_texts(texts)
        features = self.backbone.text(texts)
        vectors = self.adapter.text(features) if self.adapter else features.pooled
        return unit(vectors.cpu().numpy())


def expected_fingerprint(model: str = BUNDLED, adapter: str | Path | None = None) -> str | None:
    """The fingerprint that `Encoder.load` would find, from the adapter's files alone; None where there is no adapter.

    An adapter names the towers it belongs to, and loading refuses others.

    Raises:
        ModelError: the adapter cannot be read.
    """
    folder = adapter_folder(model, adapter)
    if folder is None:
        return None
    try:
        return fingerprint_of(folder, json.loads((folder / "config.json").read_text("utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"adapter {folder} cannot be read ({error}); put it back, or train it again") from error


def adapter_folder(model: str, adapter: str | Path | None) -> Path | None:
    """Where the adapter of an encoder lies: the one named, or the one that ships with the bundled towers."""
    return Path(adapter) if adapter else default_adapter() if model == BUNDLED else None


def fingerprint_of(folder: Path, towers: str) -> str:
    """The fingerprint of an encoder: 32 hex digits over an adapter's weights and the fingerprint of its towers."""
    digest = hashlib.blake2b((folder / "model.safetensors").read_bytes(), digest_size=16)
    digest.update(towers.encode())
    return digest.hexdigest()


def check_texts(texts: Sequence[str]) -> None:
    """Refuse an empty text.

    Raises:
        ModelError: one is empty.
    """
    if not all(text.strip() for text in texts):
        raise ModelError("a query is empty; say what to look for, for instance 'airport near river'")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (n, dim), brought to unit length."""
    brought: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return brought
