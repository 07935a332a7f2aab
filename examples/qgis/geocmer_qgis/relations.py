"""Search for places by how they lie to each other, from two names and a list of relations."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from .algorithm import GeocmerAlgorithm
from .answer import add_answer
from .filters import add_filters
from .search import ask

WITHIN = "within a distance of"
RELATIONS = (
    "near", "next to", WITHIN, "in", "north of", "northeast of", "east of", "southeast of", "south of",
    "southwest of", "west of", "northwest of",
)  # fmt: skip


class Relations(GeocmerAlgorithm):
    """Finds places that lie to other places as you say: airports near a river, towns north of a lake.

    The tiles of the first kind are loaded shaded by score, with a line to the partner that answers best. With
    "not", the tiles that have no such partner.
    """

    NAME, TITLE = "relations", "Search by relation"
    FIRST, RELATION, NOT, SECOND, DISTANCE = "FIRST", "RELATION", "NOT", "SECOND", "DISTANCE"

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add the parameters."""
        self.addParameter(QgsProcessingParameterString(self.FIRST, "Look for"))
        self.addParameter(QgsProcessingParameterBoolean(self.NOT, "not", defaultValue=False))
        self.addParameter(QgsProcessingParameterEnum(self.RELATION, "that are", list(RELATIONS), defaultValue=0))
        self.addParameter(QgsProcessingParameterString(self.SECOND, "this"))
        distance = QgsProcessingParameterNumber(
            self.DISTANCE, f"Distance for '{WITHIN}', metres",
            type=QgsProcessingParameterNumber.Type.Double, defaultValue=2000, minValue=0,
        )  # fmt: skip
        self.addParameter(distance)
        self.add_store()
        add_filters(self)
        add_answer(self)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Put the question into words, search, and load the answer."""
        first, second = (
            self.parameterAsString(parameters, name, context).strip() for name in (self.FIRST, self.SECOND)
        )
        if not first or not second:
            raise QgsProcessingException("Both kinds of place must be named")
        relation = RELATIONS[self.parameterAsEnum(parameters, self.RELATION, context)]
        if relation == WITHIN:
            relation = f"within {self.parameterAsDouble(parameters, self.DISTANCE, context):g} m of"
        negated = "not " * self.parameterAsBoolean(parameters, self.NOT, context)
        return ask(self, f"{first} {negated}{relation} {second}", parameters, context, feedback)
