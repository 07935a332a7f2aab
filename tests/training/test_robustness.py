"""What goes wrong around a run ends in one line that names it: other data, damage, full disks, lost numbers."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from geocmer._files import check_free_space, naming_disk_errors, reserve
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.errors import InputError
from geocmer.models.backbone import Features
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train
from geocmer.training.feature_cache import default_cache, image_features
from geocmer.training.loop import Epoch

CFG = TrainConfig(
    epochs=3, batch=4, width=8, heads=2, members=1, branch_dim=8, dim=8, views=1, dropout=0.0, token_dropout=0.0
)


class Grey:
    """An image of one grey."""

    def __init__(self, value: int) -> None:
        self.value = value

    def pixels(self, size: int) -> np.ndarray:
        return np.full((size, size, 3), self.value, np.uint8)

    def digest(self) -> bytes:
        return bytes([self.value]) * 16


class Towers:
    """Frozen towers of a few numbers."""

    spec, fingerprint, size, aligned = "tiny", "ab" * 16, 8, False
    device = torch.device("cpu")

    def release(self) -> None: ...

    def tokenize(self, texts: Any) -> torch.Tensor:
        return torch.tensor([[len(text)] for text in texts])

    def image(self, pixels: np.ndarray) -> Features:
        x = torch.from_numpy(np.array(pixels)).float().mean((1, 2)) / 255
        return Features(x, (x[:, None].repeat(1, 4, 1),))

    def text(self, texts: Any) -> Features:
        x = torch.tensor([[len(t), sum(map(ord, t)) % 17, 1.0] for t in texts])
        return Features(x, (x[:, None],), torch.ones(len(x), 1, dtype=torch.bool))


def _pairs(*, first: int = 0, word: str = "grey", scene: str | None = None) -> PairSet:
    pairs = [Pair(Grey(first + i), (f"{word} {i}",), "val" if i < 4 else "train", scene) for i in range(16)]
    return PairSet("greys", tuple(pairs))


TOWERS: Any = Towers()


def _interrupt(epoch: Epoch) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("other", [_pairs(first=1), _pairs(word="gray"), _pairs(scene="port")])
def test_a_run_on_other_data_is_not_resumed(tmp_path: Path, other: PairSet) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(_pairs(), TOWERS, tmp_path / "out", CFG, on_epoch=_interrupt)
    with pytest.raises(InputError, match="holds an unfinished run trained on other data"):
        train(other, TOWERS, tmp_path / "out", CFG)
    train(_pairs(), TOWERS, tmp_path / "out", CFG)


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" + b"\0" * 100])
def test_a_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"state\.pt cannot be resumed from .*remove it") as caught:
        train(_pairs(), TOWERS, tmp_path, CFG)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [lambda s: s["parts"].pop(), lambda s: s["parts"][0].popitem(), lambda s: s.pop("best")]
)
def test_a_state_of_other_parts_is_named(tmp_path: Path, change: Callable[[Any], object]) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(_pairs(), TOWERS, tmp_path, CFG, on_epoch=_interrupt)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    change(state)
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(InputError, match="cannot be resumed from"):
        train(_pairs(), TOWERS, tmp_path, CFG)


def test_a_run_whose_metrics_are_gone_still_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(_pairs(), TOWERS, tmp_path, CFG, on_epoch=_interrupt)
    (tmp_path / "metrics.jsonl").unlink()
    train(_pairs(), TOWERS, tmp_path, CFG)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    def second(epoch: Epoch) -> None:
        with pytest.raises(InputError, match="another run is writing to"):
            train(_pairs(), TOWERS, tmp_path, CFG)

    train(_pairs(), TOWERS, tmp_path, CFG, on_epoch=second)
    with FileLock(tmp_path / ".run.lock", timeout=0):  # and the lock is free again
        pass


def test_a_loss_that_is_no_number_stops_the_run_with_advice(tmp_path: Path) -> None:
    class Broken(Towers):
        def text(self, texts: Any) -> Features:
            found = super().text(texts)
            return Features(found.pooled * float("nan"), found.taps, found.mask)

    broken: Any = Broken()
    with pytest.raises(InputError, match=r"the loss is nan at step 1: .*learning_rate below 0.0008"):
        train(_pairs(), broken, tmp_path / "out", CFG)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_places_that_cannot_be_written_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for out, cache in (("file", "cache"), ("file/below", "cache"), ("out", "file"), ("out", "file/below")):
        with pytest.raises(InputError, match=r"file.* cannot be written"):
            train(_pairs(), TOWERS, tmp_path / out, CFG, cache=tmp_path / cache)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user without a home
    with pytest.raises(InputError, match="--cache-dir"):
        default_cache()


def test_a_full_disk_is_one_line_while_a_run_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("geocmer.training.checkpoint.write_atomically", full)
    with pytest.raises(InputError, match=r"No space left on device.*free space there, or give another --out"):
        train(_pairs(), TOWERS, tmp_path, CFG)


def test_features_without_room_are_refused_before_they_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []

    class Counting(Towers):
        def image(self, pixels: np.ndarray) -> Features:
            computed.append(len(pixels))
            return super().image(pixels)

    counting: Any = Counting()
    usage = type("Usage", (), {"free": 1000})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: usage)
        with pytest.raises(InputError, match=r"has 0\.0 MB left and 0\.0 MB are needed.*--no-cache"):
            image_features(counting, _pairs(), tmp_path, 4)
    assert computed == [1]  # the probe of the shapes
    image_features(counting, _pairs(), tmp_path, 4)
    with monkeypatch.context() as patch:  # what is there needs no room
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
        image_features(counting, _pairs(), tmp_path, 4)


def test_space_is_checked_against_what_is_free(tmp_path: Path) -> None:
    check_free_space(tmp_path, 1, "--out")
    with pytest.raises(InputError, match="are needed"):
        check_free_space(tmp_path, 10**18, "--out")


def test_a_reserved_file_is_not_sparse(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1_000_000)
    reserve(tmp_path / "a")
    status = (tmp_path / "a").stat()
    assert status.st_size == 1_000_000
    assert status.st_blocks * 512 >= 1_000_000


def test_disk_errors_keep_their_reason() -> None:
    message = r"x cannot be written \(Permission denied\); give another --out"
    with pytest.raises(InputError, match=message), naming_disk_errors(Path("x"), "--out"):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    "bad",
    [
        {"seed": -1}, {"seed": 2**32}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"learning_rate": -1.0},
        {"learning_rate": float("inf")}, {"weight_decay": -0.1}, {"weight_decay": float("nan")}, {"clip": 0.0},
        {"average": 1.0}, {"average": -0.1}, {"dropout": 1.0}, {"token_dropout": 1.0}, {"smoothing": 1.0},
        {"queue_weight": float("nan")}, {"warmup": float("nan")}, {"width": 0}, {"branch_dim": 0}, {"batch": 1},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_name(bad: dict[str, Any]) -> None:
    ((name, value),) = bad.items()
    with pytest.raises(InputError, match=f"{name} .*{value}"):
        TrainConfig(**bad)


def test_labels_that_no_image_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"label_share is 0\.5 but no image of greys has a scene"):
        train(_pairs(), TOWERS, tmp_path, replace(CFG, label_share=0.5))
