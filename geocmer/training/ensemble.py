"""Training an adapter: the frozen features, then each member, then all of them as one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .._files import naming_disk_errors
from .._types import Progress
from ..datasets.pairs import PairSet
from ..errors import InputError
from ..models.adapter import Adapter
from ..models.adapter_config import AdapterConfig
from ..models.backbone import BUNDLED, Backbone
from ..models.encoder import default_adapter
from ..models.known_captions import KnownCaptions
from .calibrate import calibrate_adapter
from .caption_bank import fit_known_captions
from .checkpoint import Checkpoint
from .config import BASELINE_RATES, TrainConfig
from .distributed import barrier, rank, world_size
from .hub_bank import fit_hub_bias
from .loop import Epoch, fit
from .pca import principal_directions
from .reliability import Reliability
from .sampling import set_shares
from .scores import Score
from .training_data import TrainingData


def train(
    pairs: PairSet | Sequence[PairSet],
    backbone: Backbone,
    out: Path,
    cfg: TrainConfig | None = None,
    *,
    cache: Path | None = None,
    on_features: Progress | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_ensemble: Callable[[Score], None] | None = None,
    on_calibration: Callable[[Reliability | str], None] | None = None,
) -> Adapter:
    """Train an adapter on one or several sets and write it to `out`.

    After each epoch a set with captions is validated by its mR, one with labels by the accuracy of class words. Of one
    set the best epoch is kept, of several the last.

    `out` also receives `metrics.jsonl` and, until the run is complete, `state.pt`: an interrupted run that is started
    again with the same arguments continues after its last complete epoch and ends with the same weights. Several
    members are written to `out/member-0` and so on, each an adapter by itself. Under `torchrun` every process computes
    its shard of each batch, and the first one writes.

    Args:
        pairs: images with `train` and `val` splits, or several such sets, of which some may lack a `val` split.
        backbone: the frozen towers.
        out: folder to write.
        cfg: settings; the defaults if None.
        cache: folder of the feature cache; None runs the image tower anew in every step.
        on_features: progress of the frozen features, (done, total) images.
        on_epoch: called after each epoch.
        on_ensemble: called with the validation figure of several members together.
        on_calibration: called with what the probabilities of hits are worth, or with why there are none.

    Raises:
        InputError: a split is missing or too small, an image cannot be read, or `out` holds another run, is being
            written by one, or cannot be written.
    """
    cfg = cfg or TrainConfig()
    if cfg.method in BASELINE_RATES:
        raise InputError(f"method {cfg.method!r} trains the towers themselves; use baselines.train_baseline")
    sets = [pairs] if isinstance(pairs, PairSet) else list(pairs)
    check_sets(sets, cfg)
    if cfg.batch < world_size():
        raise InputError(f"batch {cfg.batch} is less than the {world_size()} processes; each needs an image of it")
    folders = member_folders(out, cfg, backbone)
    members = len(folders)
    with _exclusive_run(out), tempfile.TemporaryDirectory(prefix="geocmer-") as temporary:
        data = TrainingData.prepare(
            sets, backbone, cfg, cache or Path(temporary), on_features, cache_images=cache is not None
        )
        member_config = _member_config(backbone, cfg, PairSet.joined(sets).ground_m)
        begun = _begun_members(backbone, cfg, member_config, members)
        if cache:
            backbone.release()
        checkpoints: list[Checkpoint] = []
        for member, folder in enumerate(folders):
            seeded = replace(cfg, seed=cfg.seed * members + member)
            checkpoint = fit(
                data, member_config, folder, seeded, backbone.device, on_epoch, member, members, begun[member]
            )
            checkpoints.append(checkpoint)
        if rank() == 0:
            adapter = Adapter.from_members([Adapter.load(folder, backbone) for folder in folders])
            if cfg.method == "cmer" and not backbone.aligned:
                adapter = _complete(adapter, data, cfg, backbone, out)
            score = data.score(adapter) if members > 1 else None
            with naming_disk_errors(out, "--out"):
                adapter.save(out)
                if score:
                    (out / "metrics.jsonl").write_text(json.dumps({"members": members, **score.to_json()}) + "\n")
            if score and on_ensemble:
                on_ensemble(score)
            found = calibrate_adapter(out, backbone, sets)
            if on_calibration:
                on_calibration(found)
            for checkpoint in checkpoints:
                checkpoint.finish()
        barrier()
    return Adapter.load(out, backbone)


def _complete(adapter: Adapter, data: TrainingData, cfg: TrainConfig, backbone: Backbone, out: Path) -> Adapter:
    """Give an adapter what is made of all its members together: basis, hub bias, and the captions it knows, in `out`.

    Raises:
        InputError: the disk cannot be written.
    """
    dim = cfg.dim - bool(cfg.bias_texts)  # the bias takes one
    if adapter.cfg.dim > dim:
        rows = np.unique(data.texts.rows(data.train.captions()[0]))
        basis = principal_directions(adapter, data.images, len(data.train), data.texts, rows, dim)
        adapter = adapter.with_basis(basis)
    adapter = fit_hub_bias(adapter, data, cfg)
    if cfg.known_captions:
        captions = fit_known_captions(adapter, data, cfg, backbone)
        before = KnownCaptions.load(_start_folder(cfg)) if cfg.start else None
        with naming_disk_errors(out, "--out"):
            (captions.with_tokens_of(before) if before else captions).save(out)
    return adapter


@contextmanager
def _exclusive_run(out: Path) -> Iterator[None]:
    """Let one run at a time write a folder; the lock ends with the process that holds it."""
    if rank() > 0:
        yield  # the first process holds it for all
        return
    from filelock import FileLock, Timeout

    with naming_disk_errors(out, "--out"):
        out.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(out / ".run.lock", timeout=0).acquire()
        except Timeout:
            raise InputError(f"another run is writing to {out}; wait for its end, or give another --out") from None
    with lock:
        yield
        (out / ".run.lock").unlink(missing_ok=True)  # while it is held; after an error the next run takes it over


def check_sets(sets: Sequence[PairSet], cfg: TrainConfig) -> None:
    """Refuse sets that cannot be trained on with these settings.

    Raises:
        InputError: a split is missing or too small, or a setting does not fit the sets.
    """
    for each in sets:
        if len(each.split("train")) < 2:
            raise InputError(f"{each.name} has 1 training image; contrastive training needs at least 2")
    train = PairSet.joined([each.split("train") for each in sets])
    if not any(each.has_split("val") for each in sets):
        sets[0].split("val")  # says which splits there are
    set_shares([len(each.split("train")) for each in sets], cfg.weights)
    if cfg.label_share and not any(pair.scene for pair in train.pairs):
        raise InputError(f"label_share is {cfg.label_share:g} but no image of {train.name} has a scene; set it to 0")


def member_folders(out: Path, cfg: TrainConfig, backbone: Backbone) -> list[Path]:
    """List the folders of the members that are trained on a backbone; a single member goes to `out` itself."""
    single = cfg.method != "cmer" or backbone.aligned or cfg.members == 1
    return [out] if single else [out / f"member-{m}" for m in range(cfg.members)]


def _start_folder(cfg: TrainConfig) -> Path:
    return default_adapter() if cfg.start == BUNDLED else Path(cfg.start)


def _begun_members(
    backbone: Backbone, cfg: TrainConfig, member_config: AdapterConfig, members: int
) -> list[Adapter | None]:
    """Take the members of the adapter that training goes on from; None for each without one.

    Raises:
        ModelError: it cannot be read, or belongs to other towers.
        InputError: it has another number of members, or members of other sizes.
    """
    if not cfg.start:
        return [None] * members
    adapter = Adapter.load(_start_folder(cfg), backbone)
    found = [adapter.member(index) for index in range(adapter.cfg.members)]
    sizes = ("dim", "width", "heads", "tap_channels", "text_tap_channels")
    differ = {
        name: (getattr(found[0].cfg, name), getattr(member_config, name))
        for name in sizes
        if getattr(found[0].cfg, name) != getattr(member_config, name)
    }
    if len(found) != members:
        differ["members"] = (len(found), members)
    if differ:
        told = ", ".join(f"{name} {has} and not {asked}" for name, (has, asked) in differ.items())
        raise InputError(f"start {cfg.start} has {told}; set what differs to the same")
    return list(found)


def _member_config(backbone: Backbone, cfg: TrainConfig, ground_m: tuple[float, ...]) -> AdapterConfig:
    """Make the configuration of one member; `ground_m` is what the sets say, and the settings win."""
    settings: dict[str, Any] = {name: getattr(cfg, name) for name in ("width", "heads", "dropout", "token_dropout")}
    if not backbone.aligned:
        settings["dim"] = cfg.branch_dim
    if cfg.method == "linear" or not cfg.focus:
        settings |= {"tap_channels": (), "text_tap_channels": ()}
    return AdapterConfig.of(backbone, **settings, ground_m=cfg.ground_m or ground_m)
