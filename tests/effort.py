"""How much a run of the tests tries."""

from __future__ import annotations

from hypothesis import settings

RUN_EXAMPLES = 40
"""Examples of a property test on every run, where it names no number."""


def examples(count: int) -> int:
    """Return `count` on every run, and as many times more as the profile of the run asks for."""
    return max(1, count * settings().max_examples // RUN_EXAMPLES)
