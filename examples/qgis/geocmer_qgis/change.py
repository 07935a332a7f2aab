"""Places that look different at two times."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterString,
)

from .algorithm import GeocmerAlgorithm
from .answer import add_answer, answer_path, load_answer
from .command import run
from .filters import add_filters, filter_arguments


class Change(GeocmerAlgorithm):
    """Finds places that show something in later pictures and not in earlier ones, or the reverse.

    The store must hold scenes of both times. The hits are the later tiles, shaded by how much more probably they
    show it; the earlier tile of each is its partner.
    """

    NAME, TITLE = "change", "Find change"
    QUERY, BEFORE, AFTER, GONE = "QUERY", "BEFORE", "AFTER", "GONE"

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add the parameters."""
        self.addParameter(QgsProcessingParameterString(self.QUERY, "What is new"))
        self.addParameter(QgsProcessingParameterString(self.BEFORE, "Earlier time ends (YYYY, YYYY-MM or YYYY-MM-DD)"))
        self.addParameter(QgsProcessingParameterString(self.AFTER, "Later time begins"))
        self.addParameter(QgsProcessingParameterBoolean(self.GONE, "What is gone instead", defaultValue=False))
        self.add_store()
        add_filters(self, dates=False)
        add_answer(self)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Compare the two times, and load the answer."""
        words, before, after = (
            self.parameterAsString(parameters, name, context).strip() for name in (self.QUERY, self.BEFORE, self.AFTER)
        )
        if not (words and before and after):
            raise QgsProcessingException("What to look for and both times must be given")
        path = answer_path(self, parameters, context)
        arguments = ["change", "--from", before, "--to", after, "--store", self.store(parameters, context), "-o", path]
        arguments += ["--gone"] * self.parameterAsBoolean(parameters, self.GONE, context)
        arguments += filter_arguments(self, parameters, context, dates=False)
        run([*arguments, "--", words], feedback)
        return load_answer(path, words, context)
