"""Training an adapter: one loop over cached frozen features, to be read from top to bottom."""

from __future__ import annotations

import copy
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .adapter import Adapter, AdapterConfig
from .backbone import Backbone, Features
from .errors import InputError
from .evaluate import Recall, recall
from .features import VIEWS, ImageFeatures, Progress, image_features, text_features
from .losses import batch_loss, same_text
from .pairs import PairSet

METHODS = ("cmer", "linear")

_MAX_SCALE = 100.0
"""Bound of the learned inverse temperature, as in CLIP."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How an adapter is trained. The defaults were chosen on RSICD's validation split."""

    method: str = "cmer"
    """`cmer`: side branches with focus layers; `linear`: linear heads on the pooled vectors, for comparison."""
    epochs: int = 30
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises; it falls along a cosine afterwards."""
    smoothing: float = 0.1
    """Label smoothing of the contrastive targets."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    average: float = 0.99
    """Decay per step of the running average of the weights, which is what is validated and kept."""
    views: int = VIEWS
    """How many of the 8 flips and quarter turns of a picture are trained on."""
    dim: int = 512
    width: int = 256
    heads: int = 8
    dropout: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r} is unknown; choose one of {', '.join(METHODS)}")
        if not 1 <= self.views <= VIEWS:
            raise InputError(f"views must be 1 to {VIEWS}, not {self.views}")
        if self.epochs < 1 or self.batch < 2:
            raise InputError(f"epochs must be >= 1 and batch >= 2, not {self.epochs} and {self.batch}")
        if self.width % self.heads:
            raise InputError(f"width {self.width} is not a multiple of heads {self.heads}; change one of them")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    number: int
    loss: float
    val: Recall
    best: bool


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
    again with the same arguments goes on after its last whole epoch and ends with the same weights.

    Args:
        pairs: captioned images with `train` and `val` splits.
        backbone: the frozen towers.
        out: folder to write.
        cfg: settings; the defaults if None.
        cache: folder of the feature cache; None keeps the features in a temporary folder for this run.
        on_features: progress of the frozen features, (done, total) pictures.
        on_epoch: called after each epoch.

    Raises:
        InputError: a split is missing or too small, a picture cannot be read, or `out` holds another run.
    """
    cfg = cfg or TrainConfig()
    train_set, val_set = pairs.split("train"), pairs.split("val")
    if len(train_set) < 2:
        raise InputError(f"{pairs.name} has {len(train_set)} training image; contrastive training needs at least 2")
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="geocmer-") as folder:
            return train(pairs, backbone, out, cfg, cache=Path(folder), on_features=on_features, on_epoch=on_epoch)

    images = image_features(backbone, train_set, cache, cfg.views, on_features)
    val_images = image_features(backbone, val_set, cache, 1, on_features)
    captions, owner = train_set.captions()
    texts = text_features(backbone, captions, cache)
    first, count = _caption_ranges(owner, len(train_set))
    text_id = np.unique([c.lower() for c in captions], return_inverse=True)[1].reshape(-1)
    val_captions, val_owner = val_set.captions()
    val_texts = text_features(backbone, val_captions, cache)

    torch.manual_seed(cfg.seed)
    shape: dict[str, Any] = {"width": cfg.width, "heads": cfg.heads, "dropout": cfg.dropout}
    if not backbone.aligned:
        shape["dim"] = cfg.dim
    if cfg.method == "linear":
        shape["tap_channels"] = ()
    adapter = Adapter(AdapterConfig.of(backbone, **shape)).to(backbone.device)
    if cfg.method == "linear":
        _only_projections(adapter)
    averaged = copy.deepcopy(adapter).requires_grad_(False)
    optimiser = torch.optim.AdamW(_groups(adapter, cfg), lr=cfg.learning_rate)
    batch = min(cfg.batch, len(train_set))
    steps = len(train_set) // batch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _warmup_cosine(cfg.warmup, steps * cfg.epochs))

    out.mkdir(parents=True, exist_ok=True)
    run = _Run(out, cfg, backbone.fingerprint)
    start, best = run.resume(adapter, averaged, optimiser, schedule)
    for epoch in range(start, cfg.epochs):
        # All chance of an epoch comes from (seed, epoch): a resumed run sees the batches and the dropout it would have.
        rng = np.random.default_rng([cfg.seed, epoch])
        torch.manual_seed(cfg.seed * 100_003 + epoch)
        adapter.train()
        order = rng.permutation(len(train_set))
        losses = []
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            chosen = first[rows] + rng.integers(0, count[rows])
            seen = _to(images.batch(rng.integers(0, cfg.views, len(rows)), rows), backbone.device)
            said = _to(Features(torch.from_numpy(texts[chosen])), backbone.device)
            never = same_text(torch.from_numpy(text_id[chosen])).to(backbone.device)
            scale = adapter.log_scale.exp().clamp(max=_MAX_SCALE)
            loss = batch_loss(adapter.image(seen), adapter.text(said), scale, never, cfg.smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(adapter.parameters(), cfg.clip)
            optimiser.step()
            schedule.step()
            _average(averaged, adapter, cfg.average)
            losses.append(loss.item())
        val = measure(averaged, val_images, val_texts, val_owner, backbone.device)
        better = val.mean > best
        best = max(best, val.mean)
        if better:
            averaged.save(out)
        run.record(Epoch(epoch, float(np.mean(losses)), val, better), best, adapter, averaged, optimiser, schedule)
        if on_epoch:
            on_epoch(Epoch(epoch, float(np.mean(losses)), val, better))
    run.finish()
    return Adapter.load(out, backbone)


def measure(
    adapter: Adapter, images: ImageFeatures, texts: NDArray[np.float32], owner: NDArray[np.int64], device: torch.device,
    ties: str = "random", seed: int = 0,
) -> Recall:  # fmt: skip
    """Recall of an adapter on cached features of one split."""
    return recall(similarity(adapter, images, texts, int(owner.max()) + 1, device), owner, ties, seed)


def similarity(
    adapter: Adapter, images: ImageFeatures, texts: NDArray[np.float32], count: int, device: torch.device
) -> NDArray[np.float32]:
    """Cosine of every image with every caption, (images, captions)."""
    adapter.eval()
    with torch.inference_mode():
        seen = []
        for start in range(0, count, 256):
            rows = np.arange(start, min(start + 256, count))
            seen.append(adapter.image(_to(images.batch(np.zeros_like(rows), rows), device)))
        # One row per distinct text: equal captions then have bit-equal scores, and ties stay ties.
        unique, at = np.unique(texts, axis=0, return_inverse=True)
        said = adapter.text(Features(torch.from_numpy(unique).to(device)))
        scores: NDArray[np.float32] = (torch.cat(seen) @ said.T).cpu().numpy()
        return scores[:, at.reshape(-1)]


@dataclass(slots=True)
class _Run:
    """A training run on disk: its metrics and its resumable state."""

    out: Path
    cfg: TrainConfig
    fingerprint: str

    @property
    def state(self) -> Path:
        return self.out / "state.pt"

    def resume(self, *parts: Any) -> tuple[int, float]:
        """Restore the parts; the next epoch and the best mR so far."""
        if not self.state.exists():
            (self.out / "metrics.jsonl").write_text("")
            return 0, -1.0
        state = torch.load(self.state, weights_only=True)
        if state["cfg"] != asdict(self.cfg) or state["fingerprint"] != self.fingerprint:
            raise InputError(f"{self.out} holds an unfinished run with other settings; remove it or give another --out")
        for part, saved in zip(parts, state["parts"], strict=True):
            part.load_state_dict(saved)
        return state["epoch"] + 1, state["best"]

    def record(self, epoch: Epoch, best: float, *parts: Any) -> None:
        line = {"epoch": epoch.number, "loss": round(epoch.loss, 4), "best": epoch.best, **epoch.val.to_json()}
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        temporary = self.state.with_suffix(".tmp")
        saved = [part.state_dict() for part in parts]
        content = {"cfg": asdict(self.cfg), "fingerprint": self.fingerprint, "epoch": epoch.number, "best": best}
        torch.save({**content, "parts": saved}, temporary)
        temporary.replace(self.state)

    def finish(self) -> None:
        self.state.unlink()


def _to(features: Features, device: torch.device) -> Features:
    return replace(features, pooled=features.pooled.to(device), taps=tuple(tap.to(device) for tap in features.taps))


def _caption_ranges(owner: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    count = np.bincount(owner, minlength=n)
    return np.cumsum(count) - count, count


def _only_projections(adapter: Adapter) -> None:
    for name, parameter in adapter.named_parameters():
        parameter.requires_grad_("project" in name or name == "log_scale")


def _groups(adapter: Adapter, cfg: TrainConfig) -> list[dict[str, Any]]:
    """Weight decay for matrices only: never for biases, norms, gates and the temperature."""
    live = [p for p in adapter.parameters() if p.requires_grad]
    return [
        {"params": [p for p in live if p.ndim >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in live if p.ndim < 2], "weight_decay": 0.0},
    ]


def _average(kept: Adapter, live: Adapter, decay: float) -> None:
    with torch.no_grad():
        for mean, parameter in zip(kept.parameters(), live.parameters(), strict=True):
            mean.lerp_(parameter, 1 - decay)


def _warmup_cosine(warmup: float, total: int) -> Callable[[int], float]:
    rise = max(1, round(warmup * total))
    return lambda step: min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))
