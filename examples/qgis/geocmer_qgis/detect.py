"""Every place that shows a concept, or what words say."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from .algorithm import GeocmerAlgorithm
from .answer import add_answer, answer_path, load_answer
from .command import run
from .filters import add_filters, filter_arguments


class Detect(GeocmerAlgorithm):
    """Finds every place that shows a concept that was taught (geocmer concept make), or what words say.

    Neighbouring tiles are merged into polygons with their area and probability. The raster holds the probability of
    every place.
    """

    NAME, TITLE = "detect", "Detect everywhere"
    WHAT, MIN_PROBABILITY, RASTER = "WHAT", "MIN_PROBABILITY", "RASTER"

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add the parameters."""
        self.addParameter(QgsProcessingParameterString(self.WHAT, "Concept, or words"))
        self.add_store()
        least = QgsProcessingParameterNumber(
            self.MIN_PROBABILITY, "Least probability of a tile",
            type=QgsProcessingParameterNumber.Type.Double, defaultValue=0.5, minValue=0, maxValue=1,
        )  # fmt: skip
        self.addParameter(least)
        add_filters(self, ranked=False)
        add_answer(self, partners=False)
        raster = QgsProcessingParameterRasterDestination(
            self.RASTER, "Probability of every place", optional=True, createByDefault=False
        )
        self.addParameter(raster)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Score every tile, and load the polygons and the raster."""
        name = self.parameterAsString(parameters, self.WHAT, context).strip()
        if not name:
            raise QgsProcessingException("A concept or words must be given")
        path, store = answer_path(self, parameters, context), self.store(parameters, context)
        arguments = ["detect", "--store", store, *filter_arguments(self, parameters, context, ranked=False)]
        least = self.parameterAsDouble(parameters, self.MIN_PROBABILITY, context)
        run([*arguments, "--min-probability", f"{least:g}", "-o", path, "--", name], feedback)
        outputs = load_answer(path, name, context)
        if parameters.get(self.RASTER):
            outputs[self.RASTER] = self.parameterAsOutputLayer(parameters, self.RASTER, context)
            run([*arguments, "-o", outputs[self.RASTER], "--", name], feedback)
        return outputs
