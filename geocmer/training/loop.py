"""The training loop of one member over frozen features, to be read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .._files import naming_disk_errors
from ..models.adapter import Adapter
from ..models.adapter_config import AdapterConfig
from .batches import Batch, BatchSampler
from .checkpoint import Checkpoint
from .config import TrainConfig
from .distributed import average_gradients, barrier, gather, rank, shard, world_size
from .losses import Ids, Queue, batch_loss, queue_loss
from .optimizer import check_loss, make_optimizer
from .scores import Score
from .training_data import TrainingData
from .validation import to_device

MAX_SCALE = 100.0
"""Bound of the learned inverse temperature, as in CLIP."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Figures of one epoch."""

    number: int
    loss: float
    val: Score
    best: bool
    epochs: int
    """How many there will be."""
    member: int = 0
    members: int = 1

    def to_json(self) -> dict[str, Any]:
        """Make a line of `metrics.jsonl`."""
        return {"epoch": self.number, "loss": round(self.loss, 4), "best": self.best, **self.val.to_json()}


def fit(
    data: TrainingData,
    adapter_config: AdapterConfig,
    out: Path,
    cfg: TrainConfig,
    device: torch.device,
    on_epoch: Callable[[Epoch], None] | None = None,
    member: int = 0,
    members: int = 1,
    begun: Adapter | None = None,
) -> Checkpoint:
    """Train one member and write the weights of its best epoch, or of the last one of several sets, to `out`.

    Args:
        data: to train and to validate on.
        adapter_config: of the member.
        out: folder to write.
        cfg: settings.
        device: to compute on.
        on_epoch: called after each epoch.
        member: number of the member, for `on_epoch`.
        members: how many there are, likewise.
        begun: the member as it is to begin with; new weights if None.

    Returns:
        The checkpoint, whose state stays until its `finish` is called.

    Raises:
        InputError: `out` holds another run or cannot be written, or the loss is no number.
    """
    trainer = _Trainer(data, adapter_config, cfg, device, begun)
    identity = {"fingerprint": adapter_config.fingerprint, "data": data.fingerprint, "processes": world_size()}
    checkpoint = Checkpoint(out, {**asdict(cfg), **identity})
    start, best = checkpoint.resume(*trainer.parts)
    for number in range(start, cfg.epochs):
        loss = trainer.train_epoch(number)
        score = data.score(trainer.averaged.module)
        # Of several sets the last epoch is kept: the rate has fallen to 0, and a mean of small sets moves by chance.
        kept = number == cfg.epochs - 1 if len(data.sizes) > 1 else score.mean > best
        epoch = Epoch(number, loss, score, kept, cfg.epochs, member, members)
        best = max(best, score.mean)
        if rank() == 0:
            if epoch.best:
                with naming_disk_errors(out, "--out"):
                    trainer.averaged.module.save(out)
            checkpoint.record(epoch.to_json(), best, *trainer.parts)
            if on_epoch:
                on_epoch(epoch)
    barrier()
    return checkpoint


class _Trainer:
    """A member and all that changes with it: the average of its weights, optimizer, schedule and queue."""

    def __init__(
        self, data: TrainingData, adapter_config: AdapterConfig, cfg: TrainConfig, device: torch.device,
        begun: Adapter | None = None,
    ) -> None:  # fmt: skip
        self._data, self._cfg, self._device = data, cfg, device
        self._sampler = BatchSampler(data.train, cfg, data.sizes)
        self._total_steps = self._sampler.steps * cfg.epochs
        torch.manual_seed(cfg.seed)
        self.adapter = Adapter(adapter_config).to(device)
        if begun:
            self.adapter.load_state_dict(begun.state_dict())
        if cfg.method == "linear":
            _freeze_all_but_projections(self.adapter)
        moving_average = get_ema_multi_avg_fn(cfg.average)  # type: ignore[no-untyped-call]
        self.averaged: Any = AveragedModel(self.adapter, multi_avg_fn=moving_average)
        self.averaged.update_parameters(self.adapter)  # the first update copies: the average starts at the start
        self._optimizer, self._schedule = make_optimizer(self.adapter, cfg, self._total_steps)
        self._queue = Queue(cfg.queue, adapter_config.dim, device)
        self.parts = self.adapter, self.averaged, self._queue, self._optimizer, self._schedule

    def train_epoch(self, number: int) -> float:
        """Train on every batch of an epoch; return the mean loss."""
        # All randomness of an epoch comes from the seed and its number: a resumed run draws the same dropout.
        torch.manual_seed((self._cfg.seed * 100_003 + number) * world_size() + rank())
        self.adapter.train()
        first_step = number * self._sampler.steps
        return float(
            np.mean([self._step(batch, first_step + i) for i, batch in enumerate(self._sampler.epoch(number))])
        )

    def _step(self, batch: Batch, step: int) -> float:
        loss = self._loss(batch, step)
        check_loss(loss.item(), self._cfg, step)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(self.adapter.parameters())
        torch.nn.utils.clip_grad_norm_(self.adapter.parameters(), self._cfg.clip)
        self._optimizer.step()
        self._schedule.step()
        self.averaged.update_parameters(self.adapter)
        return loss.item()

    def _loss(self, batch: Batch, step: int) -> Tensor:
        cfg, queue = self._cfg, self._queue
        image_vectors, text_vectors = self._embed(batch)
        ids = Ids(*(torch.from_numpy(a).to(self._device) for a in (batch.rows, batch.owner, batch.text_ids)))
        scale = self.adapter.log_scale.exp().clamp(max=MAX_SCALE)
        excluded = self._data.false_negatives(batch.rows, batch.owner, self._data.texts.rows(batch.texts))
        loss = batch_loss(image_vectors, text_vectors, scale, ids, cfg.smoothing, excluded.to(self._device))
        if cfg.queue:
            if len(queue) and step >= cfg.queue_start * self._total_steps:
                recycled = queue_loss(image_vectors, text_vectors, scale, ids, queue, cfg.smoothing)
                loss = loss + cfg.queue_weight * recycled
            first = slice(None, None, cfg.captions)  # the queue keeps one caption of each image
            queue.push(image_vectors, text_vectors[first], ids.owner[first], ids.texts[first])
        return loss

    def _embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Embed this process's shard of a batch, and gather the vectors of all."""
        data, device, count = self._data, self._device, len(batch.rows)
        own = shard(np.arange(count))
        text_rows = data.texts.rows(batch.texts).reshape(count, -1)[own].reshape(-1)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            image_vectors = self.adapter.image(to_device(data.images.batch(batch.views[own], batch.rows[own]), device))
            text_vectors = self.adapter.text(to_device(data.texts.batch(text_rows), device))
        return gather(image_vectors.float()), gather(text_vectors.float())


def _freeze_all_but_projections(adapter: Adapter) -> None:
    for name, parameter in adapter.named_parameters():
        parameter.requires_grad_("project" in name or name == "log_scale")
