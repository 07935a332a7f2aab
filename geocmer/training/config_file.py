"""Training settings from a TOML file: the keys are the fields of `TrainConfig`, and no others."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import InputError
from .baselines import RATES
from .config import TrainConfig


def train_config(path: Path | None = None, given: Mapping[str, Any] | None = None) -> TrainConfig:
    """The settings of a run: the defaults, then the file, then what is given; the later wins.

    Args:
        path: TOML file with any of the fields of `TrainConfig`, at its top level.
        given: values by name, as from the command line; None leaves a field as it is.

    Raises:
        InputError: the file cannot be read, has an unknown key or a value of another type, or a setting is refused.
    """
    asked = {name: value for name, value in (given or {}).items() if value is not None}
    settings = {**(_read(path) if path else {}), **asked}
    if settings.get("method") in RATES:
        settings.setdefault("learning_rate", RATES[settings["method"]])
    return TrainConfig(**settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"settings {path} cannot be read ({error.strerror}); give a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"settings {path} are not TOML ({error})") from error
    hints = get_type_hints(TrainConfig)
    names = [field.name for field in fields(TrainConfig)]
    for key in raw:
        if key not in names:
            near = get_close_matches(key.replace("-", "_"), names, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are: {', '.join(sorted(names))}"
            raise InputError(f"settings {path} have the unknown key {key!r}; {hint}")
    return {key: _checked(path, key, value, hints[key]) for key, value in raw.items()}


def _checked(path: Path, key: str, value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # bool is an int to isinstance, and a batch of `true` is none
        raise InputError(
            f"settings {path}: {key} = {value!r} is a {type(value).__name__}; it must be a {kind.__name__}"
        )
    return value
