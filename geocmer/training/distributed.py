"""Training in several processes: each has a shard of every batch, and all of the batch as negatives.

Every process computes the whole loss from the gathered vectors. `gather` sends each row the gradient of every copy of
the loss, and `average_gradients` takes their mean: the result is the gradient that one process with the whole batch
would have found. Without a process group all of this does nothing, so the training loop is written once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes that `torchrun` started, and leave them at the end; alone, do nothing.

    Args:
        device: what this process computes on: NCCL joins CUDA devices, gloo all others.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def local_device(name: str) -> str:
    """Name the device of this process: `torchrun` gives each of its processes on a machine one of the GPUs."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if local is not None and name in ("auto", "cuda") and torch.cuda.is_available() else name


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Tell whether this process speaks for all; before they are joined it is as `torchrun` has numbered them."""
    return (rank() if dist.is_initialized() else int(os.environ.get("RANK", "0"))) == 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def shard(rows: NDArray[Any]) -> NDArray[Any]:
    """Cut the rows of a batch into contiguous parts, of sizes that differ by at most one; return this process's."""
    return np.array_split(rows, world_size())[rank()]


def gather(rows: Tensor) -> Tensor:
    """Gather the rows (n, ...) of every process, in the order of `shard`; each row's gradient flows to its process."""
    return rows if world_size() == 1 else _Gather.apply(rows)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    if world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= world_size()
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def barrier() -> None:
    """Wait until every process has called this."""
    if dist.is_initialized():
        dist.barrier()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(world_size())]
        dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
        ctx.counts = [int(count) for count in counts]
        longest = max(ctx.counts)
        padded = torch.cat(
            [rows, rows.new_zeros(longest - len(rows), *rows.shape[1:])]
        )  # collectives want equal shapes
        parts = [torch.empty_like(padded) for _ in ctx.counts]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, ctx.counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        start = sum(ctx.counts[: rank()])
        return total[start : start + ctx.counts[rank()]]
