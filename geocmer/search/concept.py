"""A concept: a detector that was taught with examples, as numbers that answer for every vector of a store.

    probability(x) = 1 / (1 + exp(-(weights . x + bias)))

with x a tile's unit vector: logistic regression, its slope calibrated on tiles that it was not fitted on. So a concept
is asked as words are, by one product with each vector, and goes wherever the concept of a text goes.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from .._types import Float64s
from ..errors import FingerprintError, InputError, StoreError
from ..store.vectors import EncoderInfo
from .dot import quantize_queries
from .probability import Calibration, ProbabilityModel

KIND = "concept"
"""Of its record in a store."""
FORMAT = "geocmer-concept-1"
"""Names the form of the JSON text; raised by one whenever a field changes its meaning."""
MAX_DIM = 65_536
_NAME = re.compile(r"[^\W_][\w -]{0,62}[^\W_]|[^\W_]")


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was counted, with its 95 % interval by Wilson's formula (1927), the tiles taken as independent.

    Attributes:
        value: the share, 0..1; None where nothing was counted.
        low: end of the interval.
        high: end of the interval.
    """

    value: float | None
    low: float
    high: float

    @classmethod
    def of(cls, right: int, total: int) -> Self:
        """Compute the share of `right` among `total`."""
        if not total:
            return cls(None, 0.0, 1.0)
        z2 = 1.959963984540054**2  # the normal quantile of 97.5 %
        p = right / total
        middle = (p + z2 / (2 * total)) / (1 + z2 / total)
        half = math.sqrt(z2 * p * (1 - p) / total + z2**2 / (4 * total**2)) / (1 + z2 / total)
        return cls(p, max(0.0, middle - half), min(1.0, middle + half))

    def __str__(self) -> str:
        return "none" if self.value is None else f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What a concept was fitted on, and how well it does on tiles of other places: spatial cross-validation.

    Attributes:
        yes: tiles that show it.
        no: tiles that were marked as not showing it.
        drawn: tiles drawn from the store that stand for the rest of the world, as not showing it.
        folds: of the cross-validation.
        precision: share of yes among the tiles that are given one half and more.
        recall: share of the yes tiles that are given one half and more.
    """

    yes: int
    no: int
    drawn: int
    folds: int
    precision: Share
    recall: Share

    def lines(self) -> list[str]:
        """Describe it for a person."""
        rest = f", {self.drawn} drawn from the store" if self.drawn else ""
        return [
            f"{self.yes} tiles show it, {self.no} do not{rest}",
            f"precision {self.precision}, recall {self.recall}: 95 % intervals (Wilson), spatial cross-validation in "
            f"{self.folds} folds, at a probability of 0.5, with yes as frequent as among these tiles",
        ]


@dataclass(frozen=True, slots=True)
class Concept:
    """A detector that was taught.

    Attributes:
        name: it is asked by.
        version: counted from 1; one more each time it is taught again.
        encoder: that made the vectors; those of another cannot be asked.
        weights: (dim,) of the logit.
        bias: of the logit.
        measured: what it was taught with, and how good it is.
        made: when, ISO 8601, UTC.
    """

    name: str
    version: int
    encoder: EncoderInfo
    weights: Float64s
    bias: float
    measured: CrossValidation
    made: str

    @property
    def steepness(self) -> float:
        """How much the logit rises with the cosine of a tile and the `direction`."""
        return float(np.linalg.norm(self.weights))

    @property
    def direction(self) -> Float64s:
        """The unit vector (dim,) in whose order the probabilities are."""
        result: Float64s = self.weights / self.steepness
        return result

    @property
    def probability_model(self) -> ProbabilityModel:
        """The same as words have it: a direction, and a calibration of the products with it."""
        calibration = Calibration(np.zeros(len(self.weights)), self.steepness, self.bias)
        return ProbabilityModel(calibration, quantize_queries(self.direction[None]), (False,))

    def require_encoder(self, encoder: EncoderInfo) -> None:
        """Refuse vectors that it was not taught on.

        Raises:
            FingerprintError: another encoder made the store's vectors.
        """
        if self.encoder.fingerprint != encoder.fingerprint:
            raise FingerprintError(
                f"concept {self.name!r} was taught on vectors of {self.encoder.title}, and the store's are of "
                f"{encoder.title}; teach it again: `geocmer concept make {quoted(self.name)} --from FILE`, or ask "
                "for the words with --literal"
            )

    def to_json(self) -> str:
        """Write it as a line of JSON: what a store keeps, and what is exported."""
        record = {"format": FORMAT, **asdict(self), "weights": self.weights.tolist()}
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Read what `to_json` wrote, and believe none of it unread.

        Args:
            text: to read.
            where: it was found, for the message.

        Raises:
            InputError: it is something else.
        """
        try:
            record = json.loads(text)
            if record.pop("format", None) != FORMAT:
                raise ValueError(f"it is not of the form {FORMAT}")
            found = cls(**{field.name: _READ[field.name](record.pop(field.name)) for field in fields(cls)})
            if record or found.weights.shape != (found.encoder.dim,):
                raise ValueError("fields that do not belong together")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, StoreError) as error:
            raise InputError(
                f"{where} is no concept that this geocmer reads ({str(error)[:80]}); write one with "
                "`geocmer concept export`, or teach it again with `geocmer concept make`"
            ) from error
        return found


def check_name(name: str, what: str = "a concept") -> str:
    """Return the name of a concept, or of a saved search, without spaces around it.

    Raises:
        InputError: it is not made of letters, digits, spaces, `-` and `_`, 64 at most.
    """
    bare = " ".join(name.split())
    if not _NAME.fullmatch(bare):
        raise InputError(f"{name!r} cannot name {what}; use letters, digits, spaces, '-' and '_', 64 at most")
    return bare


def quoted(name: str) -> str:
    """Write a name as a shell takes it."""
    return f"'{name}'" if " " in name else name


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError(f"{value!r} is not a count")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _weights(values: Any) -> Float64s:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_DIM:
        raise ValueError("no weights")
    weights = np.array([_number(value) for value in values])
    if not 0 < np.linalg.norm(weights) < np.inf:
        raise ValueError("weights without a direction")
    return weights


def _share(record: dict[str, Any]) -> Share:
    value = None if record["value"] is None else _number(record["value"])
    return Share(value, _number(record["low"]), _number(record["high"]))


def _measured(record: dict[str, Any]) -> CrossValidation:
    counts = {name: _count(record[name]) for name in ("yes", "no", "drawn", "folds")}
    return CrossValidation(**counts, precision=_share(record["precision"]), recall=_share(record["recall"]))


_READ: dict[str, Any] = {
    "name": lambda value: check_name(_text(value)),
    "version": _count,
    "encoder": lambda value: EncoderInfo.from_json(json.dumps(value)),
    "weights": _weights,
    "bias": _number,
    "measured": _measured,
    "made": _text,
}
