"""What a text tower does not read of a text: signs that it has no token for, and what lies beyond its last token."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from .backbone import BUNDLED
from .weights import MAX_TOKENS, TowerFiles


def text_notes(model: str, texts: Sequence[str]) -> Iterator[str]:
    """Say what the text tower does not read.

    Args:
        model: name of the towers; only the bundled one's limits are known.
        texts: captions or queries.
    """
    if model.partition("/")[0] != BUNDLED:
        return
    tokenizer = TowerFiles().tokenizer
    for text in texts:
        encoding = tokenizer.encode(text)
        pieces = zip(encoding.tokens, encoding.offsets, strict=True)
        unknown = [text[start:end] for token, (start, end) in pieces if token == "[UNK]"]
        unknown += [word for word in re.findall(r"\w+", text) if any(map(_is_foreign, word)) and word not in unknown]
        if unknown:
            yield f"the model reads English and does not know {' '.join(unknown)!r} in {_shorten(text)!r}"
        if encoding.overflowing:
            rest = text[max(end for _, end in encoding.offsets) :].strip()
            yield f"the model reads {MAX_TOKENS} tokens; left out is {_shorten(rest)!r}"


def _is_foreign(sign: str) -> bool:
    """Tell a letter of another script: the tower has tokens for some, and learnt nothing of them."""
    return sign.isalpha() and "LATIN" not in unicodedata.name(sign, "")


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
