"""Learning: adapters from the tiles, and how well an encoder finds what words say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._files import require_writable_folder
from .._types import Progress
from .opening import Opening

if TYPE_CHECKING:
    from ..datasets.pairs import PairSet


class Learning(Opening):
    """How a `Collection` trains an adapter and measures its encoder."""

    def train(
        self, out: str | Path, *, config: str | Path | None = None, progress: Progress | None = None, **options: Any
    ) -> Path:
        """Train an adapter on these tiles and their land cover; return its folder.

        The adapter is a new one, for the towers of this collection's encoder, whatever adapter that has. Validation
        tiles lie in blocks that no training tile touches.

        Args:
            out: folder of the adapter.
            config: TOML file of settings.
            progress: called with (done, total) images while features are computed.
            **options: the other arguments and settings of `geocmer.train`, as `epochs=10`.

        Raises:
            GeocmerError: the tiles have no categories or are too few, or a setting or the model cannot be used.
        """
        from ..datasets.store_pairs import tile_pairs
        from ..models.choose import choose_model
        from ..training.config import TrainConfig, read_settings
        from ..training.from_pairs import train

        settings = {name: value for name, value in options.items() if name in TrainConfig.__dataclass_fields__}
        pairs = tile_pairs(self.store, seed=read_settings(Path(config) if config else None, settings).seed)
        loaded = self._encoder.backbone if self._encoder else None
        towers = loaded or choose_model(self._built_with(), self._model, self._adapter)
        options = {"device": self._device, "notify": self._notify, **options}
        return train(pairs, out, model=towers, config=config, progress=progress, **options)

    def evaluate(self, pairs: str | Path | PairSet | None = None, **options: Any) -> list[dict[str, Any]]:
        """Measure this collection's encoder on its own tiles, by their land cover, or on captioned images.

        Args:
            pairs: captioned images; None: the tiles, each land-cover category asked for by its name.
            **options: those of `geocmer.evaluate`; of the tiles `seed` and `panels` alone.

        Returns:
            Of the tiles a row for each category, then their mean: `category`, `tiles`, `p10`, the share of the category
            among the first ten hits, `ap`, the average precision, and `chance`, what a random order would give. Of
            captioned images the rows of `geocmer.evaluate`.

        Raises:
            GeocmerError: there is nothing to measure, or the encoder cannot be loaded.
        """
        from ..evaluation.rows import evaluate, evaluate_store

        if options.get("panels"):
            require_writable_folder(Path(options["panels"]), "--panels")
        options = {"notify": self._notify, **options}
        if pairs is None:
            return evaluate_store(self.store, self.encoder, **options)
        return evaluate(pairs, self.encoder, **options)
