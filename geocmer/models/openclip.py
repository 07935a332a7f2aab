"""Towers of open_clip: an architecture with a pretrained tag, `hf-hub:...`, or `local-dir:...`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .families import is_weights_file, known_forms

Tokenizer = Callable[[list[str]], Tensor]


class OpenClip:
    """The two towers of an open_clip model.

    Args:
        model: a `CLIP` or `CustomTextCLIP`, which is frozen in place.
        tokenizer: texts -> tokens (n, length).
        size: side of the square input, pixels.
        mean: of each channel, 0..1.
        std: of each channel.
        device: to compute on.
        aligned: whether the towers share one embedding space, as a trained CLIP's do.
    """

    def __init__(self, model: Any, tokenizer: Tokenizer, size: int, mean: Sequence[float], std: Sequence[float],
                 device: torch.device, *, aligned: bool = True) -> None:  # fmt: skip
        self.size, self.mean, self.std, self.aligned = size, tuple(mean), tuple(std), aligned
        self._tokenizer, self._device = tokenizer, device
        self._spec: str | None = None
        self._frozen: Any = self._freeze(model)

    @classmethod
    def load(cls, spec: str, device: torch.device) -> OpenClip:
        """Load a model by name, see `Backbone.load`.

        Raises:
            ModelError: the name is unknown, names no weights, or they cannot be had.
        """
        model, tokenizer = _load(spec)
        cfg = dict(model.visual.preprocess_cfg)
        size = cfg["size"][0] if isinstance(cfg["size"], (tuple, list)) else cfg["size"]
        towers = cls(model, tokenizer, int(size), cfg["mean"], cfg["std"], device)
        towers._spec = spec
        return towers

    def fingerprint(self) -> str:
        """Hash the weights and the preprocessing, 32 hex digits."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.size, [float(m) for m in self.mean], [float(s) for s in self.std])).encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy())
        return digest.hexdigest()

    def image(self, x: Tensor, taps: int) -> tuple[Tensor, list[Tensor]]:
        """Compute pooled vectors (n, channels) of images (n, 3, size, size), and the maps of the last `taps` depths."""
        out = self._model.visual.forward_intermediates(x, indices=taps)
        return out["image_features"], out["image_intermediates"]

    def text(self, tokens: Tensor, taps: int) -> tuple[Tensor, list[Tensor], Tensor]:
        """Compute pooled vectors (n, channels) of tokens (n, length), the last `taps` layers, and the token mask."""
        tower = getattr(self._model, "text", self._model)
        if hasattr(tower, "pooler"):  # a BERT and its kin, from transformers
            mask = tokens != tower.config.pad_token_id
            longest = max(int(mask.sum(1).max()), 1)  # nothing is computed on padding that all texts share
            tokens, mask = tokens[:, :longest], mask[:, :longest]
            out = tower.transformer(input_ids=tokens, attention_mask=mask.long(), output_hidden_states=True)
            return tower.proj(tower.pooler(out, mask.long())), out.hidden_states[-taps:], mask
        out = self._model.forward_intermediates(text=tokens, text_indices=taps, normalize=False)
        return out["text_features"], out["text_intermediates"], tokens != getattr(tower, "pad_id", 0)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Cut texts into token ids (n, length)."""
        return self._tokenizer(list(texts)).to(self._device)

    def release(self) -> None:
        """Free the memory of a model that was loaded by name; it is loaded again when it is used again."""
        if self._spec:
            self._frozen = None

    @property
    def _model(self) -> Any:
        if self._frozen is None and self._spec:
            self._frozen = self._freeze(_load(self._spec)[0])
        return self._frozen

    def _freeze(self, model: Any) -> Any:
        model = model.to(self._device).eval().requires_grad_(False)
        model.visual = model.visual.to(memory_format=torch.channels_last)
        return model

    def trainable_module(self) -> Any:
        """Return the frozen model, with `encode_image` and `encode_text`: to be copied, never trained in place."""
        return self._model


def _load(spec: str) -> tuple[Any, Any]:
    import open_clip

    _silence_loggers()
    _skip_unreachable_hub()
    hub = spec.startswith(("hf-hub:", "local-dir:"))
    name, _, tag = (spec, "", "") if hub else spec.partition("/")
    if not hub and name not in open_clip.list_models():
        near = get_close_matches(spec, ["bundled", *open_clip.list_models()], 1)
        hint = f"did you mean {near[0]!r}?" if near else f"use {known_forms()}"
        raise ModelError(f"unknown model {spec!r}; {hint}")
    if not hub and not tag:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)[:4]) or "none are published"
        raise ModelError(
            f"model {spec!r} names no weights; write {name}/TAG, where TAG is one of: {tags}, or a file of weights"
        )
    from_file = is_weights_file(tag)
    if from_file and not Path(tag).is_file():
        raise ModelError(f"the weights {tag} of {name} are not there; name the file where it lies now")
    try:
        with _no_remote_code():
            model = open_clip.create_model(name, pretrained=tag or None, require_pretrained=True)
            tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:  # open_clip, the hub and its HTTP client raise many unrelated types
        reason = str(error).strip().split("\n")[0][:160]
        hint = "check the folder"
        if from_file:
            hint = f"the file must hold the weights of {name} and nothing else: pickled objects are not run"
        elif not spec.startswith("local-dir:"):
            hint = "check the name and the network (without one, only downloaded models load), or use local-dir:PATH"
        raise ModelError(f"model {spec!r} cannot be loaded ({reason}); {hint}") from error
    return model, tokenizer


@contextmanager
def _no_remote_code() -> Iterator[None]:
    """Keep code that comes with a model from running: open_clip passes `trust_remote_code` of a model's config on."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    def strict(load: Any) -> Any:
        return lambda *args, **kwargs: load(*args, **{**kwargs, "trust_remote_code": False})

    loaders = {loader: loader.__dict__["from_pretrained"] for loader in (AutoConfig, AutoModel, AutoTokenizer)
               if "from_pretrained" in loader.__dict__}  # fmt: skip
    inherited = [loader for loader in (AutoConfig, AutoModel, AutoTokenizer) if loader not in loaders]
    for loader in (*loaders, *inherited):
        setattr(loader, "from_pretrained", staticmethod(strict(loader.from_pretrained)))  # noqa: B010 - mypy
    try:
        yield
    finally:
        for loader, plain in loaders.items():
            setattr(loader, "from_pretrained", plain)  # noqa: B010 - mypy
        for loader in inherited:
            delattr(loader, "from_pretrained")


def _skip_unreachable_hub() -> None:
    """Use only what is already downloaded when the hub cannot be reached, instead of half a minute of retries."""
    import socket
    from urllib.parse import urlparse

    from huggingface_hub import constants

    host = urlparse(constants.ENDPOINT).hostname or ""
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        constants.HF_HUB_OFFLINE = True


def _silence_loggers() -> None:
    """Keep the loaders' reports of progress and retries off the terminal; their errors are all a user needs."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    logging.getLogger().setLevel(logging.CRITICAL)  # open_clip logs on the root logger
