"""Conditions on land cover that no person writes."""

from __future__ import annotations

import pytest

from geocmer.errors import InputError
from geocmer.store import Shares


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a > 0" + ")" * 5000,
        "not " * 5000 + "a > 0",
        "a > " + "9" * 5000 + "x",
        " and ".join(["a > 0"] * 5000) + " and",
        "a > 0 or \x1b[31m",
    ],
    ids=["brackets", "nots", "digits", "ands", "escape"],
)
def test_a_condition_that_is_none_is_one_short_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Shares.parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
