"""Learning: adapters from the tiles, and how well an encoder finds images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._types import Progress
from .opening import Opening

if TYPE_CHECKING:
    from ..datasets.pairs import PairSet


class Learning(Opening):
    """How a `Collection` trains an adapter and measures its encoder."""

    def train(self, out: str | Path, *, progress: Progress | None = None, **settings: Any) -> Path:
        """Train an adapter on these tiles and their land cover, see `geocmer.train`; return its folder."""
        from ..datasets.store_pairs import tile_pairs
        from ..training.from_pairs import train

        found = tile_pairs(self.store, seed=settings.get("seed", 0))
        for line in (found.summary, *(f"warning: {warning}" for warning in found.warnings)):
            self._notify(line)
        model = self._model or (self._built_with() or (None,))[0]
        return train(found.pairs, out, model=model, device=self._device, progress=progress, **settings)

    def evaluate(self, pairs: str | Path | PairSet, **options: Any) -> list[dict[str, Any]]:
        """Measure this collection's encoder on captioned images, see `geocmer.evaluate`."""
        from ..evaluation.rows import evaluate

        return evaluate(pairs, self.encoder, **options)
