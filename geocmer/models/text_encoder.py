"""The text side of the bundled model in numpy: what a search by words needs, without the seconds of importing torch.

It is the arithmetic of `bundled.MiniLM` and of the text branches of `adapter.Adapter`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .adapter_config import GATE_TEMPERATURE, TEXT_CONSTANT, AdapterConfig, read_config
from .backbone import BUNDLED
from .encoder import adapter_folder, captions_of, check_texts, fingerprint_of, l2_normalize, with_views
from .trust import require_known
from .weights import TowerFiles

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
"""Embeds texts as unit vectors (n, dim)."""
TEXTS_TOGETHER = 64
"""Texts encoded at once: some thousand tokens at most."""
_BERT_EPSILON = 1e-12
"""Added to the variance in BERT's layer norms; torch's own add 1e-5."""


class TextEncoder(Protocol):
    """What encodes the words of questions: an `encoder.Encoder`, its text side alone, or an encoder of one's own."""

    @property
    def fingerprint(self) -> str:
        """Of what makes the vectors."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def scale(self) -> float:
        """Inverse temperature."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Embed texts as unit vectors (n, dim)."""


class NumpyTextEncoder:
    """Encodes texts as `encoder.Encoder` does, to the last digits of float32.

    Attributes:
        spec: name of the model.
        folder: of the adapter.
        fingerprint: of the encoder, see `encoder.Encoder`.
        calibrated_as: the fingerprint that its calibration names.
        dim: length of a vector.
        scale: inverse temperature.
    """

    def __init__(self, folder: Path, views: int = 1) -> None:
        from safetensors import SafetensorError, safe_open
        from safetensors.numpy import load_file

        files = TowerFiles()
        self.spec, self._cfg = BUNDLED, read_config(folder)
        with ThreadPoolExecutor(2) as pool:  # a third of a second of hashing, beside the loading
            tower_fingerprint = pool.submit(files.fingerprint)
            fingerprint = pool.submit(fingerprint_of, folder, self._cfg.fingerprint)  # of one view, as words have
            self._tokenizer = files.tokenizer
            self._tower = load_file(files.text / "model.safetensors")
        if self._cfg.fingerprint != tower_fingerprint.result():
            raise ModelError(f"adapter {folder} belongs to other towers than {BUNDLED!r}; give --model")
        self.dim = self._cfg.dim
        try:
            self.calibrated_as = fingerprint.result()
            self.fingerprint = with_views(self.calibrated_as, views)
            with safe_open(folder / "model.safetensors", "numpy") as weights:
                names = [name for name in weights.keys() if not name.startswith("image_branches.")]  # noqa: SIM118
                self._adapter = {name: weights.get_tensor(name).astype(np.float32) for name in names}
            self.scale = math.exp(self._adapter["log_scale"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, OverflowError) as error:
            raise damaged_adapter(folder, error) from error
        self.folder = folder
        self._captions = captions_of(folder, self._cfg)

    @classmethod
    def of_store(cls, model: str, adapter: str, views: int = 1) -> NumpyTextEncoder | None:
        """Load the text encoder of a store that was built with the bundled towers; None for any other store."""
        if model == BUNDLED:
            require_known(model, adapter, "the store")
        folder = adapter_folder(model, adapter or None)
        return cls(folder, views) if model == BUNDLED and folder is not None and folder.is_dir() else None

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Embed captions or queries as unit vectors (n, dim).

        Raises:
            ModelError: a text is empty, or the adapter is damaged.
        """
        check_texts(texts)
        try:
            parts = [
                self._encode(texts[start : start + TEXTS_TOGETHER]) for start in range(0, len(texts), TEXTS_TOGETHER)
            ]
            found = np.concatenate([np.empty((0, self.dim), np.float32), *parts])
            if not np.isfinite(found).all():
                raise ValueError("its weights make vectors that are no numbers")
            return found
        except (KeyError, ValueError, IndexError) as error:  # weights that do not fit what config.json says
            raise damaged_adapter(self.folder, error) from error

    def _encode(self, texts: Sequence[str]) -> Floats:
        tokens = [np.array(self._tokenizer.encode(text).ids) for text in texts]
        last = _bert(self._tower, [one[one != 0] for one in tokens])
        pooled = np.array([one.mean(0) for one in last])
        vectors = l2_normalize(_adapt(self._adapter, self._cfg, pooled, last))
        return self._captions.blend(vectors, pooled, tokens, texts) if self._captions else vectors


def damaged_adapter(folder: Path | None, error: Exception) -> ModelError:
    """Make the error of an adapter whose files are incomplete or do not belong together."""
    return ModelError(f"adapter {folder} is damaged ({str(error)[:100]}); put it back, or train it again")


def _bert(w: Mapping[str, Floats], texts: Sequence[NDArray[np.int64]], heads: int = 12) -> list[Floats]:
    """Compute the last layer (tokens, width) of a BERT (Devlin et al. 2019) for the tokens of each text, unpadded.

    Tokens see only those of their own text; all else is done for the tokens of all texts at once.
    """
    lengths = np.array([len(text) for text in texts])
    starts = np.cumsum(lengths) - lengths
    alike = [starts[lengths == n][:, None] + np.arange(n) for n in np.unique(lengths)]  # rows of texts of one length
    at, place = "embeddings", np.arange(lengths.sum()) - np.repeat(starts, lengths)
    x = w[f"{at}.word_embeddings.weight"][np.concatenate(texts)] + w[f"{at}.position_embeddings.weight"][place]
    x = _norm(x + w[f"{at}.token_type_embeddings.weight"][0], w, f"{at}.LayerNorm", _BERT_EPSILON)
    layers = 1 + max(int(name.split(".")[2]) for name in w if name.startswith("encoder.layer."))
    for at in (f"encoder.layer.{n}" for n in range(layers)):
        parts = [_linear(x, w, f"{at}.attention.self.{part}") for part in ("query", "key", "value")]
        attended = np.empty_like(x)
        for rows in alike:
            query, key, value = (part[rows].reshape(*rows.shape, heads, -1).swapaxes(1, 2) for part in parts)
            scores = query @ key.swapaxes(2, 3) / math.sqrt(query.shape[-1])
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            attended[rows] = (scores / scores.sum(-1, keepdims=True) @ value).swapaxes(1, 2).reshape(*rows.shape, -1)
        attended = _linear(attended, w, f"{at}.attention.output.dense")
        x = _norm(x + attended, w, f"{at}.attention.output.LayerNorm", _BERT_EPSILON)
        inner = _gelu(_linear(x, w, f"{at}.intermediate.dense"))
        x = _norm(x + _linear(inner, w, f"{at}.output.dense"), w, f"{at}.output.LayerNorm", _BERT_EPSILON)
    return np.split(x, starts[1:])


def _adapt(w: Mapping[str, Floats], cfg: AdapterConfig, pooled: Floats, tokens: Sequence[Floats]) -> Floats:
    """Compute the joint vectors (n, dim) of texts from their pooled vectors (n, channels) and tokens of each."""
    member_vectors = []
    values = [_norm(of_text) for of_text in tokens]
    for at in (f"text_branches.{member}" for member in range(cfg.members)):
        state = _gelu(_linear(_norm(pooled, w, f"{at}.start.0"), w, f"{at}.start.1"))
        for tap in range(len(cfg.text_tap_channels)):
            queries = _linear(state, w, f"{at}.focus.{tap}.query").reshape(len(pooled), cfg.heads, -1)
            seen = np.array([_attend(query, of_text) for query, of_text in zip(queries, values, strict=True)])
            focused = (seen.swapaxes(0, 1) @ w[f"{at}.focus.{tap}.down"]).swapaxes(0, 1).reshape(len(pooled), -1)
            gate = 1 / (1 + np.exp(-w[f"{at}.gates"][tap] / GATE_TEMPERATURE))
            state = gate * state + (1 - gate) * focused
            state = state + _gelu(_linear(_norm(state, w, f"{at}.mix.{tap}.0"), w, f"{at}.mix.{tap}.1"))
        member_vectors.append(l2_normalize(pooled @ w[f"{at}.project.weight"].T + _linear(state, w, f"{at}.up")))
    joint = np.concatenate(member_vectors, axis=1)
    if "basis" in w:
        joint = joint @ w["basis"]
    if cfg.bias_texts:
        joint = math.sqrt(1 - TEXT_CONSTANT**2) * l2_normalize(joint)
        joint = np.column_stack([joint, np.full(len(joint), TEXT_CONSTANT, np.float32)])
    return joint


def _attend(query: Floats, values: Floats) -> Floats:
    """Average the tokens (tokens, channels) of a text as the heads (heads, channels) ask for them."""
    weights = np.maximum(query @ values.T / math.sqrt(values.shape[-1]), 0)
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-6)
    return weights @ values


def _linear(x: Floats, w: Mapping[str, Floats], at: str) -> Floats:
    return x @ w[f"{at}.weight"].T + w[f"{at}.bias"]


def _norm(x: Floats, w: Mapping[str, Floats] | None = None, at: str = "", epsilon: float = 1e-5) -> Floats:
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon))
    return x if w is None else x * w[f"{at}.weight"] + w[f"{at}.bias"]


def _gelu(x: Floats) -> Floats:
    return np.float32(0.5) * x * (1 + _erf(x / np.float32(math.sqrt(2))))


def _erf(x: Floats) -> Floats:
    """Compute the error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26); numpy has none."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    series = np.float32(1.061405429) * t
    for term in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(term)) * t
    return np.copysign(1 - series * np.exp(-x * x), x)
