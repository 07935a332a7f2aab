"""The families of towers that `--model` can name. A new one is a function and a line here.

Help texts, errors and the table in the docs are made from `FAMILIES`; nothing heavy is imported before a model loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .backbone import Towers


@dataclass(frozen=True, slots=True)
class Family:
    """Models that are loaded in the same way."""

    form: str
    """How a model of the family is named. No square brackets: help texts take them for markup."""
    help: str
    """What such a model is, in one line."""
    load: Callable[[str, torch.device], Towers]
    """(name of the model as the user gave it, device) -> towers."""
    identity: Callable[[str], str] = str
    """Name as given -> the name that is remembered as known to the user, the same wherever it is given."""
    ships: bool = False
    """It comes with geocmer, and need not be known to the user."""


def _bundled(spec: str, device: torch.device) -> Towers:
    from .bundled import Bundled
    from .weights import DEFAULT_TOWER

    return Bundled(spec.partition("/")[2] or DEFAULT_TOWER, device)


def _open_clip(spec: str, device: torch.device) -> Towers:
    from .openclip import OpenClip

    return OpenClip.load(spec, device)


def _absolute(spec: str) -> str:
    kind, _, folder = spec.partition(":")
    return f"{kind}:{Path(folder).resolve()}"


FAMILIES: dict[str, Family] = {
    "bundled": Family(
        "bundled",
        "the towers that ship with geocmer; `bundled/lite0` and `bundled/lite2` have other image towers",
        _bundled,
        ships=True,
    ),
    "hf-hub": Family("hf-hub:ORG/MODEL", "an open_clip model on the Hugging Face hub", _open_clip),
    "local-dir": Family("local-dir:PATH", "a folder that open_clip saved a model to", _open_clip, _absolute),
    "": Family("NAME/TAG", "an open_clip architecture and its weights, as ViT-B-32/laion2b_s34b_b79k", _open_clip),
}
"""What stands before the first `:` or `/` of a model's name -> family; "" is the family of all other names."""


def family_of(spec: str) -> Family:
    """Find the family that a model's name belongs to."""
    return FAMILIES.get(re.split("[:/]", spec, maxsplit=1)[0], FAMILIES[""])


def known_forms() -> str:
    """List the forms of all names, for help texts and errors."""
    *most, last = [family.form for family in FAMILIES.values()]
    return f"{', '.join(most)} or {last}"
