"""Adds the Processing provider while the plugin is switched on."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication

from .provider import GeocmerProvider


class GeocmerPlugin:
    """What QGIS switches on and off. All it does is in the toolbox, for models and scripts too."""

    def __init__(self, iface: Any) -> None:
        self.provider: GeocmerProvider | None = None

    def initProcessing(self) -> None:
        """Register the provider; `qgis_process` calls this alone."""
        self.provider = GeocmerProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Register the provider in the desktop."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away again."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
