"""The answer of a search: a GeoPackage of geocmer's, loaded with the style that it carries."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFileDestination,
)

OUTPUT, HITS, PARTNERS = "OUTPUT", "HITS", "PARTNERS"


class _OwnStyle(QgsProcessingLayerPostProcessorInterface):
    """Shades a loaded layer by the style in its GeoPackage, instead of Processing's random colour."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Load the style."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


_in_use: list[_OwnStyle] = []
"""QGIS keeps no reference of its own and deletes each once its layer is loaded: one per layer, for the session."""


def add_answer(algorithm: QgsProcessingAlgorithm, *, partners: bool = True) -> None:
    """Add the file to write, and the layers in it: hits, and the lines to partners that relations have."""
    algorithm.addParameter(QgsProcessingParameterFileDestination(OUTPUT, "Hits", "GeoPackage (*.gpkg)"))
    algorithm.addOutput(QgsProcessingOutputVectorLayer(HITS, "Hits"))
    if partners:
        algorithm.addOutput(QgsProcessingOutputVectorLayer(PARTNERS, "Partners"))


def answer_path(algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
    """Return where the GeoPackage is to be written.

    Raises:
        QgsProcessingException: it is no GeoPackage; `geocmer export` writes the other formats.
    """
    path: str = algorithm.parameterAsFileOutput(parameters, OUTPUT, context)
    if Path(path).suffix.lower() != ".gpkg":
        raise QgsProcessingException(f"{path}: give a name that ends in .gpkg")
    return path


def load_answer(path: str, title: str, context: QgsProcessingContext) -> dict[str, str]:
    """Ask QGIS to load the layers of an answer, hits on top; return the algorithm's outputs."""
    with closing(sqlite3.connect(path)) as database:
        layers = [name for (name,) in database.execute("SELECT table_name FROM gpkg_geometry_columns ORDER BY rowid")]
    outputs = {OUTPUT: path}
    for layer in layers:
        output = PARTNERS if layer.endswith(" partners") else HITS
        outputs[output] = f"{path}|layername={layer}"
        name = f"{title} (partners)" if output == PARTNERS else title
        details = QgsProcessingContext.LayerDetails(name, context.project(), output)
        _in_use.append(_OwnStyle())
        details.setPostProcessor(_in_use[-1])
        context.addLayerToLoadOnCompletion(outputs[output], details)
    return outputs
