"""Training an adapter: one loop over frozen features, to be read from top to bottom."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .adapter import Adapter
from .backbone import Backbone
from .checkpoint import Checkpoint
from .distributed import average_gradients, gather, rank, shard, size, wait
from .errors import InputError
from .evaluate import Recall
from .features import VIEWS, LiveImages, Progress, image_features, text_features
from .labels import augment, variants
from .losses import Ids, Queue, batch_loss, queue_loss
from .measure import measure, principal, to
from .pairs import PairSet
from .shape import AdapterConfig

METHODS = ("cmer", "linear")
BASELINES = ("adapter", "lora", "full")
"""Trained by `baselines.train_baseline`, for comparison."""

MAX_SCALE = 100.0
"""Bound of the learned inverse temperature, as in CLIP."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How an adapter is trained. The defaults were chosen on RSICD's validation split."""

    method: str = "cmer"
    """`cmer`: side branches with focus layers. For comparison: `linear`, linear heads on the pooled vectors, and with
    gradients through the towers `adapter` (in their trunks), `lora` and `full` fine-tuning."""
    epochs: int = 20
    """Passes over the training pictures."""
    batch: int = 128
    """Pictures per step, over all processes."""
    captions: int = 1
    """Captions of each picture per step; each further one is a further positive of the picture."""
    learning_rate: float = 8e-4
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.1
    """Of matrices; biases, norms, gates and the temperature have none."""
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises; it falls along a cosine afterwards."""
    smoothing: float = 0.1
    """Label smoothing of the contrastive targets."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    average: float = 0.99
    """Decay per step of the running average of the weights, which is what is validated and kept."""
    views: int = 8
    """How many of the 16 views of a picture are trained on: its flips and quarter turns, then those of its corners."""
    label_share: float = 0.0
    """Share of the captions that are rewritten with their scene category (scene label augmentation)."""
    queue: int = 0
    """Embedded pairs kept as recycled negatives; 0 for none."""
    queue_weight: float = 0.5
    """Weight of the queue's loss beside the batch's."""
    queue_start: float = 0.1
    """Share of all steps before the queue's loss begins: embeddings drift fast at first (XBM, CVPR 2020)."""
    focus: bool = True
    """Whether the side branches read the towers' taps; without, they are heads on the pooled vectors alone."""
    members: int = 3
    """Pairs of side branches that are trained beside each other, an ensemble; towers that share a space have one."""
    branch_dim: int = 512
    """Dimensions in which each member is trained."""
    dim: int = 384
    """Dimensions of the joint embedding: the principal ones of all members', once they are trained. Towers that share a
    space keep theirs, and a linear probe has `branch_dim`."""
    width: int = 256
    """Width of each side branch."""
    heads: int = 8
    """Heads of each focus layer."""
    dropout: float = 0.3
    """Dropout on the pooled vectors and on the result of a side branch."""
    token_dropout: float = 0.3
    """Share of the tokens that each focus layer does not see in a training step."""
    seed: int = 0
    """Of every random choice."""

    def __post_init__(self) -> None:
        if self.method not in METHODS + BASELINES:
            known = ", ".join(METHODS + BASELINES)
            raise InputError(f"method {self.method!r} is unknown; choose one of {known}")
        if not 1 <= self.views <= VIEWS:
            raise InputError(f"views must be 1 to {VIEWS}, not {self.views}")
        least_of = {"epochs": 1, "batch": 2, "captions": 1, "queue": 0, "members": 1, "heads": 1, "dim": 1}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        for name in ("warmup", "smoothing", "label_share", "queue_start", "dropout", "token_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be a share, 0 to 1, not {getattr(self, name)}")
        if self.width % self.heads:
            raise InputError(f"width {self.width} is not a multiple of heads {self.heads}; change one of them")
        if self.dim > self.members * self.branch_dim:
            raise InputError(f"dim {self.dim} is more than members x branch_dim, {self.members} x {self.branch_dim}")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    number: int
    loss: float
    val: Recall
    best: bool

    def to_json(self) -> dict[str, Any]:
        """A line of `metrics.jsonl`."""
        return {"epoch": self.number, "loss": round(self.loss, 4), "best": self.best, **self.val.to_json()}


def train(
    pairs: PairSet,
    backbone: Backbone,
    out: Path,
    cfg: TrainConfig | None = None,
    *,
    cache: Path | None = None,
    on_features: Progress | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Adapter:
    """Train an adapter on the `train` split, keep the epoch with the best mR on the `val` split, write it to `out`.

    `out` also receives `metrics.jsonl` and, while training lasts, `state.pt`: a run that was interrupted and is started
    again with the same arguments goes on after its last whole epoch and ends with the same weights. Under `torchrun`
    every process computes its shard of each batch, and the first one writes.

    Args:
        pairs: captioned images with `train` and `val` splits.
        backbone: the frozen towers.
        out: folder to write.
        cfg: settings; the defaults if None.
        cache: folder of the feature cache; None runs the image tower anew in every step.
        on_features: progress of the frozen features, (done, total) pictures.
        on_epoch: called after each epoch.

    Raises:
        InputError: a split is missing or too small, a picture cannot be read, or `out` holds another run.
    """
    cfg = cfg or TrainConfig()
    if cfg.method in BASELINES:
        raise InputError(f"method {cfg.method!r} trains the towers themselves; use baselines.train_baseline")
    train_set, val_set = pairs.split("train"), pairs.split("val")
    if len(train_set) < 2:
        raise InputError(f"{pairs.name} has {len(train_set)} training image; contrastive training needs at least 2")
    with tempfile.TemporaryDirectory(prefix="geocmer-") as temporary:
        home = cache or Path(temporary)
        if rank() > 0:
            wait()  # the first process fills the cache, the others read it
        val_images = image_features(backbone, val_set, home, 1, on_features)
        images = (
            image_features(backbone, train_set, home, cfg.views, on_features)
            if cache
            else LiveImages(backbone, train_set)
        )
        captions, owner = train_set.captions()
        scenes = [pair.scene if cfg.label_share else None for pair in train_set.pairs]
        said = {text for caption, i in zip(captions, owner, strict=True) for text in variants(caption, scenes[i])}
        val_captions, val_owner = val_set.captions()
        texts = text_features(backbone, [*said, *val_captions], home)
        if rank() == 0:
            wait()
        val_rows = texts.rows(val_captions)
        text_id = np.unique([c.lower() for c in captions], return_inverse=True)[1].reshape(-1)
        per_image = _caption_ranges(owner, len(train_set))

        shape = _shape(backbone, cfg)
        if cache:
            backbone.release()
        torch.manual_seed(cfg.seed)
        adapter = Adapter(shape).to(backbone.device)
        if cfg.method == "linear":
            _only_projections(adapter)
        averaged = copy.deepcopy(adapter).requires_grad_(False)
        queue = Queue(cfg.queue, backbone.device)
        optimiser = torch.optim.AdamW(weight_groups(adapter, cfg), lr=cfg.learning_rate)
        batch = min(cfg.batch, len(train_set))
        steps = len(train_set) // batch
        total = steps * cfg.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(cfg.warmup, total))
        parts = adapter, averaged, queue, optimiser, schedule

        run = Checkpoint(out, {**asdict(cfg), "fingerprint": backbone.fingerprint, "processes": size()})
        start, best = run.resume(*parts)
        for epoch in range(start, cfg.epochs):
            # All chance of an epoch comes from (seed, epoch): a resumed run sees the batches and dropout it would have.
            rng = np.random.default_rng([cfg.seed, epoch])
            torch.manual_seed((cfg.seed * 100_003 + epoch) * size() + rank())
            adapter.train()
            order = rng.permutation(len(train_set))
            losses = []
            for step in range(steps):
                rows = order[step * batch : (step + 1) * batch]
                views = rng.integers(0, cfg.views, len(rows))
                chosen = _draw(rng, *per_image, rows, cfg.captions)
                words = [augment(captions[c], scenes[owner[c]], rng, cfg.label_share) for c in chosen.reshape(-1)]
                mine = shard(np.arange(len(rows)))
                spoken = texts.rows(words).reshape(chosen.shape)[mine].reshape(-1)
                with torch.autocast(backbone.device.type, torch.bfloat16, enabled=backbone.device.type == "cuda"):
                    seen = adapter.member_images(to(images.batch(views[mine], rows[mine]), backbone.device))
                    told = adapter.member_texts(to(texts.batch(spoken), backbone.device))
                seen, told = (gather(vectors.float()).transpose(0, 1) for vectors in (seen, told))
                ids = _ids(rows, owner[chosen], text_id[chosen], backbone.device)
                scale = adapter.log_scale.exp().clamp(max=MAX_SCALE)
                loss = batch_loss(seen, told, scale, ids, cfg.smoothing)
                if cfg.queue:
                    if len(queue) and epoch * steps + step >= cfg.queue_start * total:
                        loss = loss + cfg.queue_weight * queue_loss(seen, told, scale, ids, queue, cfg.smoothing)
                    one = slice(None, None, cfg.captions)  # a pair for each picture
                    queue.push(seen, told[:, one], ids.owner[one], ids.texts[one])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                average_gradients(adapter.parameters())
                torch.nn.utils.clip_grad_norm_(adapter.parameters(), cfg.clip)
                optimiser.step()
                schedule.step()
                _average(averaged, adapter, cfg.average)
                losses.append(loss.item())
            val = measure(averaged, val_images, texts, val_rows, val_owner, backbone.device)
            done = Epoch(epoch, float(np.mean(losses)), val, val.mean > best)
            best = max(best, val.mean)
            if rank() == 0:
                if done.best:
                    averaged.save(out)
                run.record(done.to_json(), best, *parts)
                if on_epoch:
                    on_epoch(done)
        wait()
        if rank() == 0:
            kept = Adapter.load(out, backbone)
            if cfg.method == "cmer" and not backbone.aligned and kept.cfg.dim > cfg.dim:
                found = np.unique(texts.rows(captions))
                kept.projected(principal(kept, images, len(train_set), texts, found, cfg.dim)).save(out)
            run.finish()
    return Adapter.load(out, backbone)


def _shape(backbone: Backbone, cfg: TrainConfig) -> AdapterConfig:
    shape: dict[str, Any] = {name: getattr(cfg, name) for name in ("width", "heads", "dropout", "token_dropout")}
    members = 1 if cfg.method == "linear" else cfg.members
    shape |= {"members": members, "branch_dim": cfg.branch_dim, "dim": members * cfg.branch_dim}
    if cfg.method == "linear" or not cfg.focus:
        shape |= {"tap_channels": (), "text_tap_channels": ()}
    return AdapterConfig.of(backbone, **shape)


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
