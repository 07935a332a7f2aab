"""Settings from a file: every field can be set, nothing else can, and the command line has the last word."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from geocmer.errors import InputError
from geocmer.models.adapter_config import read_config
from geocmer.models.encoder import default_adapter
from geocmer.training.config import TrainConfig, read_settings


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        value = list(value)
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def test_every_field_round_trips(tmp_path: Path) -> None:
    changed: dict[str, Any] = {"epochs": 3, "batch": 17, "learning_rate": 0.5, "seed": 9, "weights": (2.0, 1.5)}
    changed["ground_m"] = (75.0, 4800.0)
    settings = TrainConfig(**changed)
    path = tmp_path / "a.toml"
    path.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in asdict(settings).items()))
    assert read_settings(path) == settings


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("epochs = 3\nbatch = 17\n")
    got = read_settings(path, {"epochs": 5, "seed": None})
    assert (got.epochs, got.batch, got.seed) == (5, 17, TrainConfig().seed)
    assert read_settings() == TrainConfig()


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("epoch = 3\n")
    with pytest.raises(InputError, match="unknown key 'epoch'; did you mean 'epochs'"):
        read_settings(path)
    path.write_text("learning-rate = 3\n")
    with pytest.raises(InputError, match="did you mean 'learning_rate'"):
        read_settings(path)
    path.write_text("zzz = 3\n")
    with pytest.raises(InputError, match=r"the keys are: .*epochs"):
        read_settings(path)
    path.write_text("[train]\nepochs = 3\n")
    with pytest.raises(InputError, match="unknown key 'train'"):
        read_settings(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epochs = true", "epochs = True is a bool; it must be a int"),
        ("epochs = 2.5", "epochs = 2.5 is a float"),
        ('epochs = "2"', "epochs = '2' is a str"),
        ("epochs = 0", "epochs must be"),
        ("epochs = ", "are not TOML"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=named):
        read_settings(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_settings(tmp_path / "none.toml")


def test_a_whole_number_stands_for_a_real_one(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("clip = 2\n")
    assert isinstance(read_settings(path).clip, float)
    assert all(field.type in ("int", "float", "str", "bool", "tuple[float, ...]") for field in fields(TrainConfig)), (
        "teach config.py the type"
    )


def test_weights_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("weights = [2, 1.5]\n")
    assert read_settings(path).weights == (2.0, 1.5)
    for bad in ('["2"]', "[true]", "2", '"2, 1"'):
        path.write_text(f"weights = {bad}\n")
        with pytest.raises(InputError, match="it must be a list of numbers"):
            read_settings(path)


@pytest.mark.parametrize(
    "bad", [{"bias_strength": -0.1}, {"bias_sharpness": 0.0}, {"bias_texts": -1}, {"dim": 1, "bias_texts": 8}]
)
def test_a_bias_that_cannot_be_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        TrainConfig(**bad)


@pytest.mark.parametrize("bad", [(5.0,), (5.0, 2.0), (0.0, 2.0), (-1.0, 2.0), (1.0, float("inf")), (1.0, 2.0, 3.0)])
def test_ground_that_cannot_be_is_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="ground_m must be two sides in metres"):
        TrainConfig(ground_m=bad)


def test_the_recipe_that_ships_gives_the_ground_that_the_adapter_records() -> None:
    assert read_settings(default_adapter() / "recipe.toml").ground_m == read_config(default_adapter()).ground_m
