"""The geocmer plugin of QGIS: finds places in imagery by words, as Processing algorithms."""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:
    """Return the plugin; QGIS calls this once it loads it."""
    from .plugin import GeocmerPlugin

    return GeocmerPlugin(iface)
