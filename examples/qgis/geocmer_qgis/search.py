"""Search by words."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingParameterString

from .algorithm import GeocmerAlgorithm
from .answer import add_answer, answer_path, load_answer
from .command import run
from .filters import add_filters, filter_arguments


class Search(GeocmerAlgorithm):
    """Finds the tiles that look most like the words, within a region.

    Words may name a relation: "airport near river". The hits are loaded shaded by score, and lines lead to the
    partners of relations.
    """

    NAME, TITLE = "search", "Search by words"
    QUERY = "QUERY"

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add the parameters."""
        self.addParameter(QgsProcessingParameterString(self.QUERY, "What to look for"))
        self.add_store()
        add_filters(self)
        add_answer(self)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Search, and load the answer."""
        words = self.parameterAsString(parameters, self.QUERY, context).strip()
        return ask(self, words, parameters, context, feedback)


def ask(
    algorithm: GeocmerAlgorithm,
    words: str,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> dict[str, Any]:
    """Search by words with the filters of an algorithm, and load the answer."""
    path = answer_path(algorithm, parameters, context)
    arguments = ["search", "--store", algorithm.store(parameters, context), "-o", path]
    arguments += filter_arguments(algorithm, parameters, context)
    run([*arguments, "--", words], feedback)
    return load_answer(path, words, context)
