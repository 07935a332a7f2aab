"""Training an adapter: the frozen features, then each member, then all of them as one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .._types import Progress
from ..datasets.pairs import PairSet
from ..errors import InputError
from ..evaluation.recall import Recall
from ..models.adapter import Adapter
from ..models.adapter_config import AdapterConfig
from ..models.backbone import Backbone
from ..models.prompts import variants
from .checkpoint import Checkpoint
from .config import BASELINES, METHODS, TrainConfig
from .distributed import rank, wait
from .feature_cache import LiveImages, image_features, text_features
from .loop import Epoch, Material, fit
from .pca import principal

__all__ = ["BASELINES", "METHODS", "Epoch", "TrainConfig", "train"]


def train(
    pairs: PairSet,
    backbone: Backbone,
    out: Path,
    cfg: TrainConfig | None = None,
    *,
    cache: Path | None = None,
    on_features: Progress | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_whole: Callable[[Recall], None] | None = None,
) -> Adapter:
    """Train an adapter on the `train` split, keep the epoch with the best mR on the `val` split, write it to `out`.

    `out` also receives `metrics.jsonl` and, while training lasts, `state.pt`: a run that was interrupted and is started
    again with the same arguments goes on after its last whole epoch and ends with the same weights. Several members
    leave theirs in `out/member-0` and so on, each an adapter by itself. Under `torchrun` every process computes its
    shard of each batch, and the first one writes.

    Args:
        pairs: captioned images with `train` and `val` splits.
        backbone: the frozen towers.
        out: folder to write.
        cfg: settings; the defaults if None.
        cache: folder of the feature cache; None runs the image tower anew in every step.
        on_features: progress of the frozen features, (done, total) pictures.
        on_epoch: called after each epoch.
        on_whole: called with the validation recall of several members together.

    Raises:
        InputError: a split is missing or too small, a picture cannot be read, or `out` holds another run.
    """
    cfg = cfg or TrainConfig()
    if cfg.method in BASELINES:
        raise InputError(f"method {cfg.method!r} trains the towers themselves; use baselines.train_baseline")
    train_set, val_set = pairs.split("train"), pairs.split("val")
    if len(train_set) < 2:
        raise InputError(f"{pairs.name} has {len(train_set)} training image; contrastive training needs at least 2")
    folders = member_folders(out, cfg, backbone)
    members = len(folders)
    with tempfile.TemporaryDirectory(prefix="geocmer-") as temporary:
        data = _material(train_set, val_set, backbone, cfg, cache, Path(temporary), on_features)
        shape = _shape(backbone, cfg)
        if cache:
            backbone.release()
        runs: list[Checkpoint] = []
        for member, folder in enumerate(folders):
            own = replace(cfg, seed=cfg.seed * members + member)
            runs.append(fit(data, shape, folder, own, backbone.device, on_epoch, member))
        if rank() == 0:
            adapter = Adapter.joined([Adapter.load(folder, backbone) for folder in folders])
            if cfg.method == "cmer" and not backbone.aligned and adapter.cfg.dim > cfg.dim:
                rows = np.unique(data.texts.rows(train_set.captions()[0]))
                basis = principal(adapter, data.images, len(train_set), data.texts, rows, cfg.dim)
                adapter = adapter.projected(basis)
            adapter.save(out)
            if members > 1:
                recall = data.recall(adapter)
                (out / "metrics.jsonl").write_text(json.dumps({"members": members, **recall.to_json()}) + "\n")
                if on_whole:
                    on_whole(recall)
            for run in runs:
                run.finish()
        wait()
    return Adapter.load(out, backbone)


def member_folders(out: Path, cfg: TrainConfig, backbone: Backbone) -> list[Path]:
    """Where each member that is trained on a backbone goes: one alone to `out` itself."""
    alone = cfg.method != "cmer" or backbone.aligned or cfg.members == 1
    return [out] if alone else [out / f"member-{m}" for m in range(cfg.members)]


def _material(
    train_set: PairSet, val_set: PairSet, backbone: Backbone, cfg: TrainConfig, cache: Path | None, temporary: Path,
    on_features: Progress | None,
) -> Material:  # fmt: skip
    home = cache or temporary
    if rank() > 0:
        wait()  # the first process fills the cache, the others read it
    val_images = image_features(backbone, val_set, home, 1, on_features)
    live = LiveImages(backbone, train_set)
    images = image_features(backbone, train_set, home, cfg.views, on_features) if cache else live
    captions, owner = train_set.captions()
    scenes = [pair.scene if cfg.label_share else None for pair in train_set.pairs]
    said = {text for caption, i in zip(captions, owner, strict=True) for text in variants(caption, scenes[i])}
    val_captions, val_owner = val_set.captions()
    texts = text_features(backbone, [*said, *val_captions], home)
    if rank() == 0:
        wait()
    return Material(train_set, images, val_images, texts, texts.rows(val_captions), val_owner)


def _shape(backbone: Backbone, cfg: TrainConfig) -> AdapterConfig:
    """Of one member."""
    shape: dict[str, Any] = {name: getattr(cfg, name) for name in ("width", "heads", "dropout", "token_dropout")}
    if not backbone.aligned:
        shape["dim"] = cfg.branch_dim
    if cfg.method == "linear" or not cfg.focus:
        shape |= {"tap_channels": (), "text_tap_channels": ()}
    return AdapterConfig.of(backbone, **shape)
