"""Conditions on tiles that searches have in common."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from .algorithm import GeocmerAlgorithm
from .region import add_region, region_arguments

COUNT, ALL_DATES = "COUNT", "ALL_DATES"
TEXTS = {
    "CATEGORY": ("--category", "Scene category"),
    "WHERE": ("--where", "Condition, as built_up > 0.3"),
    "SINCE": ("--since", "Taken on or after (YYYY-MM-DD)"),
    "UNTIL": ("--until", "Taken on or before (YYYY-MM-DD)"),
}
"""Parameter -> option of the command, label."""
_DATES = ("SINCE", "UNTIL")


def add_filters(algorithm: GeocmerAlgorithm, *, dates: bool = True, ranked: bool = True) -> None:
    """Add how many hits there may be (if they are ranked), where they lie, and what else they must meet."""
    if ranked:
        algorithm.addParameter(QgsProcessingParameterNumber(COUNT, "How many hits", defaultValue=50, minValue=1))
    add_region(algorithm)
    for name, (_, label) in _texts(dates):
        algorithm.add_advanced(QgsProcessingParameterString(name, label, optional=True))
    if ranked:
        one = QgsProcessingParameterBoolean(ALL_DATES, "Keep all dates of a place", defaultValue=False)
        algorithm.add_advanced(one)


def filter_arguments(
    algorithm: GeocmerAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    *,
    dates: bool = True,
    ranked: bool = True,
) -> list[str]:
    """Return the arguments for these conditions."""
    arguments = region_arguments(algorithm, parameters, context)
    for name, (option, _) in _texts(dates):
        if value := algorithm.parameterAsString(parameters, name, context).strip():
            arguments += [option, value]
    if ranked:
        arguments += ["-k", str(algorithm.parameterAsInt(parameters, COUNT, context))]
        arguments += ["--all-dates"] * algorithm.parameterAsBoolean(parameters, ALL_DATES, context)
    return arguments


def _texts(dates: bool) -> list[tuple[str, tuple[str, str]]]:
    return [(name, texts) for name, texts in TEXTS.items() if dates or name not in _DATES]
