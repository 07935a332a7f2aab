"""How probable an answer is: what may be asked of it, and saying that nothing is likely to be what was asked for."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError
from ..search.probability import LIKELY, Calibration, unlikely_note
from ..search.results import PAGE_HITS, Answer


def check_min_probability(has_examples: bool, calibration: Calibration | None) -> None:
    """Refuse a least probability where there are none.

    Raises:
        InputError: the answer has no probabilities.
    """
    if has_examples:
        raise InputError("pictures and example tiles have no probability, words have; use --min-score, or ask in words")
    if calibration is None:
        raise InputError(
            "this model has no calibration, so its hits have no probability; use --min-score, or make one for its"
            " adapter with `geocmer calibrate`"
        )


def say_if_unlikely(title: str, answer: Answer, notify: Callable[[str], None], *, among_new: bool = False) -> None:
    """Say that nothing is likely to be what was asked for, and how likely the best tile is.

    Args:
        title: what was asked for.
        answer: the hits.
        notify: gets the line.
        among_new: only tiles of new scenes were looked at.
    """
    best = _best_probability(answer)
    if best >= LIKELY:
        return
    if answer.likeliest is not None:  # hits are not in the order of their probabilities
        found = answer.likeliest()
        if found >= LIKELY and len(answer):
            notify(
                f"none of these hits is likely to show {title!r}; for tiles that are, give --min-probability {LIKELY}"
            )
            return
        best = max(best, found)
    if best > 0:
        notify(unlikely_note(title, best, among_new=among_new))


def _best_probability(answer: Answer) -> float:
    """Read the greatest probability of the first hits, 0 if there are none."""
    if not len(answer) or answer.probabilities is None:
        return 0.0
    return float(answer.probabilities(slice(0, min(len(answer), PAGE_HITS))).max())
