"""The families of towers that `--model` can name. A new one is a function and a line here.

Help texts, errors and the table in the docs are made from `FAMILIES`; nothing heavy is imported before a model loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import torch

    from .backbone import Towers

WEIGHTS_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")


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
    """Name as given -> the same wherever it is given, as stores, adapters and the list of known models keep it."""
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


def _with_absolute_file(spec: str) -> str:
    name, _, tag = spec.partition("/")
    return f"{name}/{Path(tag).resolve()}" if is_weights_file(tag) else spec


def is_weights_file(tag: str) -> bool:
    """Return whether what stands behind the architecture names a file; no published tag has such an ending."""
    return Path(tag).suffix.lower() in WEIGHTS_SUFFIXES


def with_weights(model: str | None, file: str) -> str:
    """Name an architecture together with the file of its weights, as `--model` takes it: NAME/FILE.

    Raises:
        InputError: no architecture is named, or the model has weights already, or the file's ending is unknown.
    """
    if model is None or family_of(model) is not FAMILIES[""] or "/" in model:
        named = f"--model {model} names weights already" if model else "it does not say which model they belong to"
        raise InputError(f"--weights {file}: {named}; name the architecture alone, as --model ViT-B-32")
    if not is_weights_file(file):
        raise InputError(f"--weights {file}: a file of weights ends in one of {', '.join(WEIGHTS_SUFFIXES)}")
    return f"{model}/{file}"


FAMILIES: dict[str, Family] = {
    "bundled": Family(
        "bundled",
        "the towers that ship with geocmer; `bundled/lite0` and `bundled/lite2` have other image towers",
        _bundled,
        ships=True,
    ),
    "hf-hub": Family("hf-hub:ORG/MODEL", "an open_clip model on the Hugging Face hub", _open_clip),
    "local-dir": Family("local-dir:PATH", "a folder that open_clip saved a model to", _open_clip, _absolute),
    "": Family(
        "NAME/TAG",
        "an open_clip architecture and its weights: a published tag, as ViT-B-32/laion2b_s34b_b79k, or a file, as "
        "ViT-B-32/RemoteCLIP-ViT-B-32.pt, which is `--model ViT-B-32 --weights RemoteCLIP-ViT-B-32.pt` as well",
        _open_clip,
        _with_absolute_file,
    ),
}
"""What stands before the first `:` or `/` of a model's name -> family; "" is the family of all other names."""


def family_of(spec: str) -> Family:
    """Find the family that a model's name belongs to."""
    return FAMILIES.get(re.split("[:/]", spec, maxsplit=1)[0], FAMILIES[""])


def known_forms() -> str:
    """List the forms of all names, for help texts and errors."""
    *most, last = [family.form for family in FAMILIES.values()]
    return f"{', '.join(most)} or {last}"
