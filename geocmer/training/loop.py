"""The training loop of one pair of branches over frozen features, to be read from top to bottom."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..datasets.pairs import PairSet
from ..evaluation.recall import Recall
from ..models.adapter import Adapter
from ..models.adapter_config import AdapterConfig
from ..models.prompts import augment
from .checkpoint import Checkpoint
from .config import TrainConfig
from .distributed import average_gradients, gather, rank, shard, size, wait
from .feature_cache import ImageFeatures, LiveImages, TextFeatures
from .losses import Ids, Queue, batch_loss, queue_loss
from .validation import measure, to

MAX_SCALE = 100.0
"""Bound of the learned inverse temperature, as in CLIP."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    number: int
    loss: float
    val: Recall
    best: bool
    member: int = 0

    def to_json(self) -> dict[str, Any]:
        """A line of `metrics.jsonl`."""
        return {"epoch": self.number, "loss": round(self.loss, 4), "best": self.best, **self.val.to_json()}


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on: a set's captions and the frozen features of everything.

    Attributes:
        train: the training pairs.
        images: features of their pictures.
        val_images: features of the validation pictures.
        texts: features of every text that may be needed.
        val_rows: row of each validation caption in `texts`.
        val_owner: index of each validation caption's picture.
    """

    train: PairSet
    images: ImageFeatures | LiveImages
    val_images: ImageFeatures
    texts: TextFeatures
    val_rows: NDArray[np.int64]
    val_owner: NDArray[np.int64]

    def recall(self, adapter: Adapter) -> Recall:
        """Of an adapter, on the validation split."""
        device = adapter.log_scale.device
        return measure(adapter, self.val_images, self.texts, self.val_rows, self.val_owner, device)


def fit(
    data: Material,
    shape: AdapterConfig,
    out: Path,
    cfg: TrainConfig,
    device: torch.device,
    on_epoch: Callable[[Epoch], None] | None = None,
    member: int = 0,
) -> Checkpoint:
    """Train one pair of branches and write the best epoch's to `out`; the state stays, to go on from, until `finish`.

    Args:
        data: to train and to validate on.
        shape: of the branches.
        out: folder to write.
        cfg: settings.
        device: to compute on.
        on_epoch: called after each epoch.
        member: number of the pair, for `on_epoch`.

    Raises:
        InputError: `out` holds another run.
    """
    captions, owner = data.train.captions()
    scenes = [pair.scene if cfg.label_share else None for pair in data.train.pairs]
    text_id = np.unique([c.lower() for c in captions], return_inverse=True)[1].reshape(-1)
    per_image = _caption_ranges(owner, len(data.train))

    torch.manual_seed(cfg.seed)
    adapter = Adapter(shape).to(device)
    if cfg.method == "linear":
        _only_projections(adapter)
    averaged = copy.deepcopy(adapter).requires_grad_(False)
    queue = Queue(cfg.queue, adapter.cfg.dim, device)
    optimiser = torch.optim.AdamW(weight_groups(adapter, cfg), lr=cfg.learning_rate)
    batch = min(cfg.batch, len(data.train))
    steps = len(data.train) // batch
    total = steps * cfg.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(cfg.warmup, total))
    parts = adapter, averaged, queue, optimiser, schedule

    run = Checkpoint(out, {**asdict(cfg), "fingerprint": shape.fingerprint, "processes": size()})
    start, best = run.resume(*parts)
    for epoch in range(start, cfg.epochs):
        # All chance of an epoch comes from (seed, epoch): a resumed run sees the batches and dropout it would have.
        rng = np.random.default_rng([cfg.seed, epoch])
        torch.manual_seed((cfg.seed * 100_003 + epoch) * size() + rank())
        adapter.train()
        order = rng.permutation(len(data.train))
        losses = []
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            views = rng.integers(0, cfg.views, len(rows))
            chosen = _draw(rng, *per_image, rows, cfg.captions)
            words = [augment(captions[c], scenes[owner[c]], rng, cfg.label_share) for c in chosen.reshape(-1)]
            mine = shard(np.arange(len(rows)))
            spoken = data.texts.rows(words).reshape(chosen.shape)[mine].reshape(-1)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                seen = adapter.image(to(data.images.batch(views[mine], rows[mine]), device))
                told = adapter.text(to(data.texts.batch(spoken), device))
            seen, told = gather(seen.float()), gather(told.float())
            ids = _ids(rows, owner[chosen], text_id[chosen], device)
            scale = adapter.log_scale.exp().clamp(max=MAX_SCALE)
            loss = batch_loss(seen, told, scale, ids, cfg.smoothing)
            if cfg.queue:
                if len(queue) and epoch * steps + step >= cfg.queue_start * total:
                    loss = loss + cfg.queue_weight * queue_loss(seen, told, scale, ids, queue, cfg.smoothing)
                one = slice(None, None, cfg.captions)  # a pair for each picture
                queue.push(seen, told[one], ids.owner[one], ids.texts[one])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            average_gradients(adapter.parameters())
            torch.nn.utils.clip_grad_norm_(adapter.parameters(), cfg.clip)
            optimiser.step()
            schedule.step()
            _average(averaged, adapter, cfg.average)
            losses.append(loss.item())
        val = data.recall(averaged)
        done = Epoch(epoch, float(np.mean(losses)), val, val.mean > best, member)
        best = max(best, val.mean)
        if rank() == 0:
            if done.best:
                averaged.save(out)
            run.record(done.to_json(), best, *parts)
            if on_epoch:
                on_epoch(done)
    wait()
    return run


def _caption_ranges(owner: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    count = np.bincount(owner, minlength=n)
    return np.cumsum(count) - count, count


def _draw(
    rng: np.random.Generator, first: NDArray[np.int64], count: NDArray[np.int64], rows: NDArray[np.int64], each: int
) -> NDArray[np.int64]:
    """Captions of the pictures in `rows`, (n, each), all different where a picture has so many."""
    chance = rng.random((len(rows), int(count.max())))
    chance[np.arange(chance.shape[1]) >= count[rows, None]] = 2  # beyond a picture's own captions: last in the order
    order = chance.argsort(1)
    at = np.arange(each) % count[rows, None]
    return first[rows, None] + np.take_along_axis(order, at, 1)


def _ids(rows: NDArray[np.int64], owner: NDArray[np.int64], texts: NDArray[np.int64], device: torch.device) -> Ids:
    images, owners, said = (
        torch.from_numpy(np.ascontiguousarray(a.reshape(-1))).to(device) for a in (rows, owner, texts)
    )
    return Ids(images, owners, said)


def _only_projections(adapter: Adapter) -> None:
    for name, parameter in adapter.named_parameters():
        parameter.requires_grad_("project" in name or name == "log_scale")


def weight_groups(model: torch.nn.Module, cfg: TrainConfig) -> list[dict[str, Any]]:
    """Weight decay for matrices only: never for biases, norms, gates and the temperature."""
    live = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in live if p.ndim >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in live if p.ndim < 2], "weight_decay": 0.0},
    ]


def _average(kept: Adapter, live: Adapter, decay: float) -> None:
    with torch.no_grad():
        for mean, parameter in zip(kept.parameters(), live.parameters(), strict=True):
            mean.lerp_(parameter, 1 - decay)


def warmup_cosine(warmup: float, total: int) -> Callable[[int], float]:
    """Factor of the learning rate by step: a linear rise over a share of all steps, then half a cosine down to 0."""
    rise = max(1, round(warmup * total))
    return lambda step: min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))
