"""The Processing provider: its algorithms, and the one setting, where the geocmer command is."""

from __future__ import annotations

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .change import Change
from .command import SETTING
from .detect import Detect
from .relations import Relations
from .search import Search
from .tile import Tile

ALGORITHMS = (Tile, Search, Relations, Detect, Change)


class GeocmerProvider(QgsProcessingProvider):
    """The group "geocmer" of the Processing toolbox."""

    def id(self) -> str:
        """Return what models and scripts call it by."""
        return "geocmer"

    def name(self) -> str:
        """Return what the toolbox shows."""
        return "geocmer"

    def icon(self) -> QIcon:
        """Return the plugin's own icon."""
        return QIcon(str(Path(__file__).with_name("icon.svg")))

    def load(self) -> bool:
        """Add the setting and the algorithms."""
        help_text = "geocmer command (empty: the one on the PATH)"
        ProcessingConfig.addSetting(Setting("geocmer", SETTING, help_text, "", valuetype=Setting.FILE))
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Take the setting away."""
        ProcessingConfig.removeSetting(SETTING)

    def loadAlgorithms(self) -> None:
        """Add every algorithm."""
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
