"""Two gloo processes with half a batch each find the gradients of one process with the whole batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes
from torch.nn.functional import normalize

from geocmer.training.distributed import average_gradients, gather, rank, shard, world_size
from geocmer.training.losses import Ids, batch_loss


def _model() -> torch.nn.ModuleDict:
    torch.manual_seed(3)
    parts = {"image": torch.nn.Linear(6, 4), "text": torch.nn.Linear(5, 4)}
    model = torch.nn.ModuleDict(parts)
    model.log_scale = torch.nn.Parameter(torch.tensor(1.5))
    return model


def _batch(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(n)
    images, texts = (torch.from_numpy(rng.normal(size=(n, d)).astype(np.float32)) for d in (6, 5))
    return images, texts, torch.from_numpy(rng.integers(0, max(2, n // 2), n))  # caption ids: some are equal


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _gradients(n: int) -> list[torch.Tensor]:
    """One step on this process's shard of a batch of n."""
    model = _model()
    images, texts, ids = _batch(n)
    rows = torch.from_numpy(shard(np.arange(n)))
    seen = gather(normalize(model["image"](images[rows]), dim=-1))
    said = gather(normalize(model["text"](texts[rows]), dim=-1))
    pictures = torch.arange(n)
    log_scale: Any = model.log_scale
    loss = batch_loss(seen, said, log_scale.exp(), Ids(pictures, pictures, gather(ids[rows])), smoothing=0.1)
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    average_gradients(model.parameters())
    return [_gradient(p) for p in model.parameters()]


def _process(number: int, folder: str, sizes: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=number, world_size=2)
    assert (rank(), world_size()) == (number, 2)
    torch.save([_gradients(n) for n in sizes], Path(folder) / f"{number}.pt")
    dist.destroy_process_group()


@pytest.mark.usefixtures("processes")  # torch is there when they start
def test_two_processes_find_the_gradients_of_one(tmp_path: Path) -> None:
    sizes = (8, 7)
    start_processes(_process, (str(tmp_path), sizes), nprocs=2, start_method="forkserver")  # type: ignore[no-untyped-call]
    for number in range(2):
        for n, gradients in zip(sizes, torch.load(tmp_path / f"{number}.pt"), strict=True):
            for got, expected in zip(gradients, _gradients(n), strict=True):
                torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-7)


def test_alone_nothing_changes() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather(rows) is rows
    assert shard(np.arange(5)).tolist() == list(range(5))
    assert (rank(), world_size()) == (0, 1)
