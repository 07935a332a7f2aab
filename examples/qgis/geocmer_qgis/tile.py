"""Divide scenes into tiles that can be searched."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFolder,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from .algorithm import GeocmerAlgorithm
from .command import run


class Tile(GeocmerAlgorithm):
    """Divides rasters into tiles, gives each its scene category from a land-cover raster, embeds and stores them.

    Run it again to add scenes; what is there already costs nothing. It can be cancelled and goes on where it was.
    """

    NAME, TITLE = "tile", "Tile scenes"
    SCENES, SIZE, BANDS, LANDCOVER, LEGEND, OUTPUT = "SCENES", "SIZE", "BANDS", "LANDCOVER", "LEGEND", "OUTPUT"

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add the parameters."""
        raster = QgsProcessing.SourceType.TypeRaster
        self.addParameter(QgsProcessingParameterMultipleLayers(self.SCENES, "Scenes", raster))
        self.add_store()
        number = QgsProcessingParameterNumber(self.SIZE, "Side of a tile, pixels", defaultValue=224, minValue=1)
        self.addParameter(number)
        self.addParameter(QgsProcessingParameterString(self.BANDS, "Red,green,blue bands, as 4,3,2", optional=True))
        self.addParameter(QgsProcessingParameterRasterLayer(self.LANDCOVER, "Land cover", optional=True))
        legend = "Legend of the land cover: esa_worldcover, nlcd, corine ... or a file"
        self.addParameter(QgsProcessingParameterString(self.LEGEND, legend, optional=True))
        self.addOutput(QgsProcessingOutputFolder(self.OUTPUT, "Store of tiles"))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Tile the scenes."""
        scenes = [layer.source() for layer in self.parameterAsLayerList(parameters, self.SCENES, context)]
        if not scenes:
            raise QgsProcessingException("No scene is given")
        store = self.store(parameters, context)
        arguments = ["tile", "--store", store, "--size", str(self.parameterAsInt(parameters, self.SIZE, context))]
        if bands := self.parameterAsString(parameters, self.BANDS, context).strip():
            arguments += ["--bands", bands]
        land_cover = self.parameterAsRasterLayer(parameters, self.LANDCOVER, context)
        if land_cover is not None:
            arguments += ["--landcover", land_cover.source()]
        if legend := self.parameterAsString(parameters, self.LEGEND, context).strip():
            arguments += ["--legend", legend]
        run([*arguments, "--", *scenes], feedback)
        return {self.OUTPUT: store}
