"""One stretch for scenes that are shown side by side: that of all of them as one mosaic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._types import Progress
from ..errors import GeocmerError
from .address import SceneAddress
from .scene import Scene
from .scene_options import SceneOptions
from .stretch import SAMPLE_SIDE_PIXELS, STRETCH_PERCENTILES, StretchRule


def shared_stretch(
    scenes: Sequence[tuple[SceneAddress, SceneOptions]], progress: Progress | None = None
) -> StretchRule | None:
    """Compute the percentiles of each band over all scenes, in the unit of the data: after scale and offset.

    All are sampled at one step on the ground, so that each counts by the area of its valid pixels; coarse ones repeat
    theirs. A scene that cannot be used is left out here; tiling it says why.

    Args:
        scenes: their addresses, and how they are read.
        progress: called with (done, total) scenes; each is opened twice, for its size and for its pixels.

    Returns:
        A fixed rule, whose text can be given to `--stretch`; None if no scene can be used.
    """
    usable: list[tuple[SceneAddress, SceneOptions]] = []
    area, finest = 0.0, math.inf
    samples = []
    for done, (address, options) in enumerate(scenes, 1):
        try:
            with Scene.open(address, options=options) as scene:
                usable.append((address, options))
                area, finest = area + scene.width * scene.height * scene.gsd**2, min(finest, scene.gsd)
        except GeocmerError:
            continue
        finally:
            _report(progress, done, 2 * len(scenes))
    step = max(finest, area**0.5 / SAMPLE_SIDE_PIXELS)
    for done, (address, options) in enumerate(usable, 1 + 2 * len(scenes) - len(usable)):
        try:
            with Scene.open(address, options=options) as scene:
                values, scales, offsets = scene.sample(scene.gsd / step)
        except GeocmerError:
            continue
        finally:
            _report(progress, done, 2 * len(scenes))
        samples.append(values.T * scales + offsets)
    if not samples:
        return None
    low, high = np.percentile(np.concatenate(samples), STRETCH_PERCENTILES, axis=0)
    high = np.where(high == low, low + 1, high)  # a flat band, which is black
    # By its text, so that the rule that is told, and kept with a scene, is the one that is used.
    return StretchRule.parse(StretchRule("fixed", tuple(low.tolist()), tuple(high.tolist())).text)


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
