"""Find places in your own satellite and aerial imagery by words.

    tiles = geocmer.open("raleigh")
    tiles.add("scene.tif")
    tiles.search("airport near river", k=20).save("hits.gpkg")

The names below are imported when they are first used, so that `import geocmer` takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .collection import Collection as Collection
    from .collection import open as open  # noqa: A004
    from .evaluation.rows import evaluate as evaluate
    from .geometry.bbox import BBox as BBox
    from .geometry.region import Region as Region
    from .models.encoder import Encoder as Encoder
    from .training.from_pairs import train as train

__getattr__, __dir__, _names = lazy_loader.attach(
    __name__,
    submod_attrs={
        "collection": ["Collection", "open"],
        "evaluation.rows": ["evaluate"],
        "geometry.bbox": ["BBox"],
        "geometry.region": ["Region"],
        "models.encoder": ["Encoder"],
        "training.from_pairs": ["train"],
    },
)
__all__ = ["BBox", "Collection", "Encoder", "Region", "__version__", "evaluate", "open", "train"]
