"""Runs the plugin inside QGIS's own Python, offscreen, and prints what happened as JSON lines. See test_qgis.py.

python3 qgis_session.py PLUGIN_FOLDER < runs.json
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

QGIS_PLUGINS = ("/usr/share/qgis/python/plugins", "/usr/share/qgis/python")


class Cancelled(QgsProcessingFeedback):  # type: ignore[misc]  # qgis has no type information
    """Cancels at the first message."""

    def pushInfo(self, info: str) -> None:  # noqa: N802
        self.cancel()


def main() -> None:
    sys.path[:0] = [*QGIS_PLUGINS, sys.argv[1]]
    application = QgsApplication([], False)
    application.initQgis()
    from geocmer_qgis import classFactory
    from processing.core.Processing import Processing

    Processing.initialize()
    plugin = classFactory(None)
    plugin.initProcessing()
    for line in iter(sys.stdin.readline, ""):
        print(json.dumps(run(json.loads(line))), flush=True)
    plugin.unload()
    left = QgsApplication.processingRegistry().providerById("geocmer")
    print(json.dumps({"unloaded": left is None}))
    application.exitQgis()


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one algorithm as the toolbox does; return its outputs, log, and the layers it would load."""
    import processing

    os.environ["GEOCMER_COMMAND"] = asked["command"]
    project = QgsProject.instance()
    project.clear()
    for name, (path, kind) in asked.get("layers", {}).items():
        layer = QgsRasterLayer(path, name) if kind == "raster" else QgsVectorLayer(path, name, "ogr")
        assert layer.isValid(), path
        if kind == "selected":
            layer.selectByIds([next(layer.getFeatures()).id()])
        project.addMapLayer(layer)
    context = QgsProcessingContext()
    context.setProject(project)
    feedback = Cancelled() if asked.get("cancel") else QgsProcessingFeedback()
    try:
        outputs = processing.run(asked["algorithm"], asked["parameters"], context=context, feedback=feedback)
    except QgsProcessingException as error:
        return {"error": str(error)}
    layers = []
    for source, details in context.layersToLoadOnCompletion().items():
        layer = QgsVectorLayer(source, details.name, "ogr")
        details.postProcessor().postProcessLayer(layer, context, feedback)
        features = list(layer.getFeatures())
        layers.append(
            {
                "name": details.name,
                "renderer": type(layer.renderer()).__name__,
                "crs": layer.crs().authid(),
                "ids": [feature["id"] for feature in features if "id" in feature.fields().names()],
                "wkt": [feature.geometry().asWkt() for feature in features],
            }
        )
    return {"outputs": {name: str(Path(str(value))) for name, value in outputs.items()}, "layers": layers}


if __name__ == "__main__":
    main()
