"""Hits and scenes as the page reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geocmer.search.results import Hit
    from geocmer.store.scene_row import SceneRow


def hits_json(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Describe hits: their attributes, outlines, and their partners with theirs. Pictures are asked for one by one."""
    import numpy as np

    from geocmer.export.outline import outlines
    from geocmer.export.record import attributes

    rings = outlines(np.array([hit.geometry for hit in hits], dtype=object))
    return [
        {
            **attributes(hit),
            "scene_id": hit.scene_id,
            "captions": list(hit.captions),
            "thumbnail": hit.thumbnail is not None,
            "rings": ring,
            "partners": _partners(hit),
        }
        for hit, ring in zip(hits, rings, strict=True)
    ]


def _partners(hit: Hit) -> list[dict[str, Any]]:
    import numpy as np
    import shapely

    from geocmer.export.outline import outlines, unwrapped

    if not hit.partners:
        return []
    rings = outlines(np.array([partner.geometry for partner in hit.partners], dtype=object))
    return [
        {
            **partner.attributes(),
            "rings": ring,
            "lines": [unwrapped(part, False) for part in shapely.get_parts(partner.line)] if partner.line else [],
        }
        for partner, ring in zip(hit.partners, rings, strict=True)
    ]


def scene_json(scene: SceneRow) -> dict[str, Any]:
    """Describe a scene: name, date, resolution, outline, and how many tiles it has."""
    from pathlib import Path

    import numpy as np
    from affine import Affine

    from geocmer.export.outline import outlines
    from geocmer.geometry.footprint import footprint
    from geocmer.imagery.times import utc_text

    outline = footprint(Affine(*scene.transform), scene.width, scene.height, scene.crs)
    return {
        "id": scene.id,
        "name": Path(scene.uri).name,
        "uri": scene.uri,
        "datetime": scene.datetime and utc_text(scene.datetime),
        "gsd": scene.gsd,
        "tiles": scene.report.made,
        "rings": outlines(np.array([outline], dtype=object))[0],
    }
