"""How probable it is that a tile shows what words say: a calibration that ships with the adapter.

The cosine of a tile with "river" and its cosine with "refinery" are not on one scale, and some tiles are like every
text. So a concept is measured against background concepts, a list of what else an overhead picture may show
(`data/background.txt`): with t the concept's unit vector, b the mean of the background's, x a tile's, and h the last
number of x, the tile's bias against hubs (`models.hub_bias`),

    p = 1 / (1 + exp(-(slope * (x . (t - b) / |t - b| + hub_weight * h) + offset)))

The difference t - b does not see h, which tells a tile that is like all texts alike, as many are of a sensor that the
adapter knows less. b, slope, hub_weight and offset are made once for an adapter, from pictures of which it is known
what they show (`training.calibrate`), and lie beside it. So p knows nothing of the store: one of lakes only has many
lakes, and one without an airport has none. It is a probability where, as is assumed, one tile in a hundred shows the
concept.

Texts that are averaged count as one. What must not be shown, as of `--minus`, takes a factor 1 - p: that a tile lacks
it though it shows what is asked for. So this p is that of a commoner concept, see `MINUS_PREVALENCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .._files import bundled_file, write_atomically
from .._types import Float64s
from ..errors import InputError, ModelError
from .dot import exact_dots, quantize_queries

if TYPE_CHECKING:
    from ..models.text_encoder import TextEncoder

PREVALENCE = 0.01
"""Share of the tiles that show a concept, as assumed. Bayes' rule moves the offset to it from that of the pictures that
were looked at. At one in a hundred, a store of 300 tiles is as often wrong about what it has as about what it lacks."""
MINUS_PREVALENCE = 0.1
"""Share of the tiles with what is asked for that show what must not be shown as well, as assumed: it is named because
it comes with it, or is taken for it. Chosen on validation; at `PREVALENCE` hits would be right less often than said."""
LIKELY = 0.5
"""Probability from which on a tile is said to show what was asked for."""
POSSIBLE = 0.2
"""Probability that no tile reaches if it is said that none is likely: being wrong about that costs trust."""
STEEPNESS, MIDPOINT_Z = 2.2, 3.1
"""Of a calibration without pictures, `Calibration.of_sample`; fitted on RSICD's validation images."""


@cache
def background() -> tuple[str, ...]:
    """Read the background concepts."""
    lines = bundled_file("background.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True, slots=True)
class Calibration:
    """From products to probabilities.

    Attributes:
        background: (dim,) mean vector of the background concepts.
        slope: of the log odds, per unit of a product with a `direction`.
        offset: log odds at 0.
        hub_weight: of a tile's bias against hubs (`models.hub_bias`) in the product; 0 for an encoder without one.
    """

    background: Float64s
    slope: float
    offset: float
    hub_weight: float = 0.0

    @classmethod
    def of_sample(cls, concepts: NDArray[np.floating], tiles: NDArray[np.floating]) -> Self:
        """Make do without pictures: take the spread of a store's own tiles for what cosines are measured in.

        A CLIP without an adapter has no other calibration. It puts the places of a relation on one scale; its values
        are no probabilities.

        Args:
            concepts: unit vectors (k, dim) of the background concepts.
            tiles: (n, dim) of a sample of tiles.
        """
        mean = concepts.astype(np.float64).mean(axis=0)
        scores = tiles.astype(np.float64) @ cls(mean, 1.0, 0.0).directions(concepts).T
        spread = float(max(scores.std(), 1e-6)) if scores.size else 1.0
        return cls(mean, STEEPNESS / spread, -STEEPNESS * MIDPOINT_Z)

    def directions(self, concepts: NDArray[np.floating]) -> Float64s:
        """Compute the vectors (c, dim) whose products with a tile tell how probably it shows concepts (c, dim)."""
        apart = concepts.astype(np.float64) - self.background
        apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)
        apart[:, -1] += self.hub_weight
        return quantize_queries(apart)

    def probability(self, products: NDArray[np.floating[Any]], prevalence: float = PREVALENCE) -> Float64s:
        """Compute probabilities from products with `directions`, of any shape; they rise with them.

        Args:
            products: of tiles and concepts, of any shape.
            prevalence: share of the tiles that show a concept; another one moves the log odds by Bayes' rule.
        """
        moved = self.offset + (_log_odds(prevalence) - _log_odds(PREVALENCE))
        result: Float64s = 1 / (1 + np.exp(-np.clip(self.slope * products + moved, -200, 200)))
        return result

    def save(self, folder: Path, fingerprint: str) -> None:
        """Write the calibration beside an adapter.

        Args:
            folder: of the adapter.
            fingerprint: of the encoder that it was made for.
        """
        from safetensors.numpy import save

        values = {"background": self.background, "logit": np.array([self.slope, self.offset, self.hub_weight])}
        write_atomically(folder / CALIBRATION_FILE, save(values, {"fingerprint": fingerprint}))

    @classmethod
    def load(cls, folder: Path, fingerprint: str) -> Self | None:
        """Read the calibration of an adapter; None if there is none.

        Raises:
            ModelError: it cannot be read, or was made for other weights.
        """
        from safetensors import SafetensorError, safe_open

        file = folder / CALIBRATION_FILE
        if not file.is_file():
            return None
        try:
            with safe_open(file, "numpy") as values:
                made_for = (values.metadata() or {}).get("fingerprint")
                slope, offset, hub_weight = values.get_tensor("logit").tolist()
                calibration = cls(values.get_tensor("background"), slope, offset, hub_weight)
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(f"{file} cannot be read ({error}); make it again with `geocmer calibrate`") from error
        if made_for != fingerprint:
            raise ModelError(f"{file} belongs to other weights than the adapter's; run `geocmer calibrate` again")
        return calibration


CALIBRATION_FILE = "calibration.safetensors"
"""Name of the file beside an adapter."""


def calibration_of(encoder: TextEncoder) -> Calibration | None:
    """Find the calibration of an encoder; None if it has none, as a CLIP without an adapter.

    Raises:
        ModelError: it cannot be read, or was made for other weights.
    """
    folder = getattr(encoder, "folder", None)  # an encoder of one's own has none
    if folder is None:
        return None
    return Calibration.load(folder, getattr(encoder, "calibrated_as", "") or encoder.fingerprint)


@dataclass(frozen=True, slots=True)
class ProbabilityModel:
    """How probably tiles show some concepts and do not show others.

    Attributes:
        calibration: of the encoder.
        directions: (c, dim) of the concepts, see `Calibration.directions`.
        absent: (c,) True for a concept that must not be shown.
    """

    calibration: Calibration
    directions: Float64s
    absent: tuple[bool, ...]

    @classmethod
    def of(cls, calibration: Calibration, shown: NDArray[np.floating], absent: NDArray[np.floating]) -> Self:
        """Make it of the unit vectors of texts.

        Args:
            calibration: of the encoder.
            shown: (n, dim) of one or more texts, which are averaged.
            absent: (m, dim) of what must not be shown; each counts by itself.
        """
        mean = shown.astype(np.float64).mean(axis=0)
        concepts = np.concatenate([mean[None] / np.linalg.norm(mean), absent])
        return cls(calibration, calibration.directions(concepts), (False, *[True] * len(absent)))

    def of_products(self, products: Float64s) -> Float64s:
        """Compute probabilities (n,) from the products (c, n) of tiles with `directions`."""
        absent = np.array(self.absent)
        shown = self.calibration.probability(products[~absent])
        lacked = 1 - self.calibration.probability(products[absent], MINUS_PREVALENCE)
        result: Float64s = np.concatenate([shown, lacked]).prod(axis=0)
        return result

    def of_vectors(self, vectors: NDArray[np.float16]) -> Float64s:
        """Compute probabilities (n,) of tiles from their vectors (n, dim)."""
        return self.of_products(exact_dots(vectors, self.directions))


def _log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def check_number(name: str, value: float | None) -> None:
    """Refuse what is not a number, by the name of the argument: nothing is more than it, nor less.

    Raises:
        InputError: it is NaN.
    """
    if value is not None and np.isnan(value):
        raise InputError(f"{name} {value:g} is no number; give for instance 0.2")


def check_share(name: str, value: float | None) -> None:
    """Refuse what is no probability and no share, by the name of the argument.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"{name} {value:g} is not between 0 and 1; give for instance 0.5")


def percent(p: float) -> str:
    """Write a probability for people: "2 %", "less than 1 %"."""
    if p < 0.01:
        return "less than 1 %"
    return "more than 99 %" if p > 0.99 else f"{100 * p:.0f} %"


def unlikely_note(title: str, best: float, *, among_new: bool = False) -> str:
    """Say that nothing is likely, or certain, to be what was asked for, among all tiles or only those of new scenes."""
    tile, best_of = ("new tile", "the best of them") if among_new else ("tile", "the best")
    if best >= POSSIBLE:
        return f"no {tile} is certain to show {title!r}; {best_of} has {percent(best)}, look at it"
    return f"no {tile} is likely to show {title!r}; {best_of} has {percent(best)}"
