"""Categories: rules that do what they say, and the majority where none holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import NASTY

from geocmer.errors import GeocmerError
from geocmer.landcover.categories import Rule, Rules, load_rules, scene_category

WORDS = st.sampled_from(["water", "forest", "built-up area", *NASTY[1:5]])
SHARES = st.dictionaries(WORDS, st.integers(1, 100), min_size=1).map(
    lambda parts: {name: part / sum(parts.values()) for name, part in parts.items()}
)
OWN = """
least_coverage = 0.25
[[rule]]
category = "shore; 'Ufer' ü"
when = { "water" = 0.3, "forest" = 0.2 }
[[rule]]
category = "sea"
when = { "water" = 0.3 }
"""


@given(SHARES, st.floats(0.5, 1))
def test_without_rules_the_largest_share_decides(shares: dict[str, float], coverage: float) -> None:
    found = scene_category(shares, coverage, load_rules())
    assert found is not None
    assert shares[found] == max(shares.values())
    assert found == min(name for name, share in shares.items() if share == shares[found])


@given(SHARES, st.floats(0, 1), st.floats(0, 1))
def test_too_little_land_cover_gives_no_category(shares: dict[str, float], coverage: float, least: float) -> None:
    assert (scene_category(shares, coverage, Rules((), least)) is None) == (coverage < least)
    assert scene_category({}, coverage, Rules((), least)) is None


@given(SHARES)
def test_the_first_rule_that_holds_decides(shares: dict[str, float]) -> None:
    rules = Rules((Rule("shore", {"water": 0.3, "forest": 0.2}), Rule("sea", {"water": 0.3})), 0.5)
    water, forest = shares.get("water", 0), shares.get("forest", 0)
    expected = "shore" if water >= 0.3 and forest >= 0.2 else "sea" if water >= 0.3 else None
    found = scene_category(shares, 1, rules)
    assert found is not None
    assert found == expected if expected else shares[found] == max(shares.values())


def test_rules_of_ones_own_are_read(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(OWN)
    rules = load_rules(tmp_path / "rules.toml")
    assert rules.least_coverage == 0.25
    assert scene_category({"water": 0.5, "forest": 0.5}, 0.3, rules) == "shore; 'Ufer' ü"
    assert scene_category({"water": 0.5, "grass": 0.5}, 0.3, rules) == "sea"
    assert scene_category({"grass": 1.0}, 0.3, rules) == "grass"


@pytest.mark.parametrize(
    "text",
    [
        "[[rule]",
        "rules = 3",
        "[[rule]]\ncategory = 'a'",
        "[[rule]]\nwhen = {a = 1}",
        "[[rule]]\ncategory = 'a'\nwhen = {a = 'much'}",
        "[[rule]]\ncategory = 'a'\nwhen = 3",
        "least_coverage = 'half'",
        "rule = 3",
    ],
)
def test_what_are_no_rules_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(GeocmerError, match=re.escape(str(path))) as caught:
        load_rules(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(GeocmerError, match="cannot be read"):
        load_rules(tmp_path / "missing.toml")
