"""What all algorithms share: how they are named, and the store they work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
)
from qgis.PyQt.QtGui import QIcon


class GeocmerAlgorithm(QgsProcessingAlgorithm):
    """One geocmer command as a Processing algorithm. Its docstring is its help."""

    NAME: str
    TITLE: str
    STORE = "STORE"

    def name(self) -> str:
        """Return what models and scripts call it by."""
        return self.NAME

    def displayName(self) -> str:
        """Return what the toolbox shows."""
        return self.TITLE

    def shortHelpString(self) -> str:
        """Return the help beside the dialog."""
        return "\n".join(line.strip() for line in (self.__doc__ or "").splitlines())

    def icon(self) -> QIcon:
        """Return the plugin's icon."""
        return QIcon(str(Path(__file__).with_name("icon.svg")))

    def createInstance(self) -> GeocmerAlgorithm:
        """Return a new one; Processing asks for one per run."""
        return type(self)()

    def add_store(self) -> None:
        """Add the parameter for the store."""
        self.addParameter(
            QgsProcessingParameterFile(self.STORE, "Store of tiles", QgsProcessingParameterFile.Behavior.Folder)
        )

    def store(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return the store's folder.

        Raises:
            QgsProcessingException: none is given.
        """
        folder: str = self.parameterAsFile(parameters, self.STORE, context)
        if not folder:
            raise QgsProcessingException("No store is given; make one with the algorithm Tile scenes")
        return folder

    def add_advanced(self, parameter: QgsProcessingParameterDefinition) -> None:
        """Add a parameter that the dialog folds away."""
        flag = QgsProcessingParameterDefinition.Flag.FlagAdvanced
        parameter.setFlags(parameter.flags() | flag)
        self.addParameter(parameter)
