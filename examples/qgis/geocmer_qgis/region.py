"""Where to look: the map's extent, a layer, or both, as a file that geocmer reads in the CRS it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureSink,
    QgsFields,
    QgsGeometry,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingUtils,
    QgsVectorFileWriter,
    QgsWkbTypes,
)

EXTENT, REGION = "EXTENT", "REGION"


def add_region(algorithm: QgsProcessingAlgorithm) -> None:
    """Add the two parameters: the dialog offers the canvas extent for one, the current layer for the other."""
    algorithm.addParameter(QgsProcessingParameterExtent(EXTENT, "Within this extent", optional=True))
    algorithm.addParameter(
        QgsProcessingParameterFeatureSource(
            REGION, "Within these polygons", [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
        )
    )


def region_arguments(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext
) -> list[str]:
    """Return the arguments that keep a search to the extent and the polygons (of a selection, if it is chosen).

    Raises:
        QgsProcessingException: the two do not meet, or the polygons have no CRS.
    """
    source = algorithm.parameterAsSource(parameters, REGION, context)
    boxed = bool(parameters.get(EXTENT))
    if source is None and not boxed:
        return []
    if source is None:
        crs = algorithm.parameterAsExtentCrs(parameters, EXTENT, context)
        shapes = [QgsGeometry.fromRect(algorithm.parameterAsExtent(parameters, EXTENT, context))]
    else:
        crs = source.sourceCrs()
        shapes = [feature.geometry() for feature in source.getFeatures() if feature.hasGeometry()]
        if boxed:
            box = algorithm.parameterAsExtentGeometry(parameters, EXTENT, context, crs)
            shapes = [both for shape in shapes if not (both := shape.intersection(box)).isEmpty()]
    if not shapes:
        raise QgsProcessingException("The polygons have no area within the extent: there is nowhere to look")
    if not crs.isValid():
        raise QgsProcessingException("The region has no CRS; set it in the layer's properties")
    path = QgsProcessingUtils.generateTempFilename("region.gpkg")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", "region"
    writer = QgsVectorFileWriter.create(
        path, QgsFields(), QgsWkbTypes.Type.MultiPolygon, crs, QgsCoordinateTransformContext(), options
    )
    for shape in shapes:
        feature = QgsFeature()
        shape.convertToMultiType()
        feature.setGeometry(shape)
        if not writer.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
            raise QgsProcessingException(f"The region cannot be written: {writer.errorMessage()}")
    del writer  # closes the file
    return ["--region", str(Path(path))]
