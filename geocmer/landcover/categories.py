"""Rules from class fractions to one scene category; a user can replace them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._files import bundled_file
from ..errors import LandCoverError


@dataclass(frozen=True, slots=True)
class Rule:
    """A category that applies when every named class reaches its least share."""

    category: str
    when: Mapping[str, float]

    def holds(self, shares: Mapping[str, float]) -> bool:
        """Tell whether every named class, by category word, has at least its share."""
        return all(shares.get(name, 0.0) >= least for name, least in self.when.items())


@dataclass(frozen=True, slots=True)
class Rules:
    """The first rule that holds gives the category; if none does, the class with the largest share."""

    rules: tuple[Rule, ...]
    least_coverage: float
    """A tile with land cover under less than this share of it gets no category."""


def load_rules(path: str | Path | None = None) -> Rules:
    """Load the bundled rules, or a user's own TOML file.

    Raises:
        LandCoverError: the file is missing, or not such rules.
    """
    try:
        text = bundled_file("categories.toml").read_text("utf-8") if path is None else Path(path).read_text("utf-8")
        raw = tomllib.loads(text)
        unknown = set(raw) - {"least_coverage", "rule"}
        if unknown:
            raise KeyError(f"unknown key {sorted(unknown)[0]!r}")
        rules = tuple(
            Rule(str(r["category"]), {str(k): float(v) for k, v in r["when"].items()}) for r in raw.get("rule", [])
        )
        return Rules(rules, float(raw.get("least_coverage", 0.5)))
    except OSError as error:
        raise LandCoverError(f"rules {path} cannot be read ({error.strerror}); give a TOML file") from error
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise LandCoverError(
            f"rules {path} are not valid ({error}); each [[rule]] needs category and when = {{class = share}}"
        ) from error


def scene_category(shares: Mapping[str, float], coverage: float, rules: Rules) -> str | None:
    """Choose the scene category of a tile.

    Args:
        shares: category word -> share of the valid land-cover pixels, 0 to 1.
        coverage: share of the tile that has land cover.
        rules: from `load_rules`.

    Returns:
        The category; None without enough land cover. Ties are broken by name.
    """
    if not shares or coverage < rules.least_coverage:
        return None
    for rule in rules.rules:
        if rule.holds(shares):
            return rule.category
    return min(shares, key=lambda name: (-shares[name], name))
