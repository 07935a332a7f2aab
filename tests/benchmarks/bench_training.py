"""Memory and speed of every way to train the same towers, side by side in one run. Asserts nothing.

    python tests/benchmarks/bench_training.py [--model ViT-B-32] [--batches 32,128] [--steps 2] [--device auto]

Each row is measured in a process of its own, so that its peak memory is its own; on CUDA, which counts its peaks, one
process measures all batches of a method, as starting it takes longer than that. Ended early, it prints what it has.
"training memory" is what the method must hold at the end of a forward pass and through a step: tensors saved for the
backward pass (each storage once, weights not counted again), all weights, gradients, and AdamW's two moments. Random
weights cost what trained ones cost.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from geocmer.models.adapter import Adapter
from geocmer.models.adapter_config import AdapterConfig
from geocmer.models.backbone import Backbone, Features, choose_device
from geocmer.models.openclip import OpenClip
from geocmer.training.baselines import Baseline, step_loss
from geocmer.training.config import BASELINE_RATES
from geocmer.training.feature_cache import ImageFeatures
from geocmer.training.losses import Ids, batch_loss
from geocmer.training.text_features import text_features
from geocmer.training.validation import to_device

METHODS = ("full", "lora", "adapter", "linear", "cmer", "linear cached", "cmer cached")
_WORDS = ("many", "buildings", "green", "trees", "around", "playground", "near", "wide", "river", "bridges")


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-32", help="an architecture of open_clip")
    parser.add_argument("--batches", default="32,128")
    parser.add_argument("--steps", type=int, default=2, help="timed steps; the median counts")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "BATCHES"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        for batch in map(int, args.one[1].split(",")):
            print(json.dumps(measure(args.model, args.one[0], batch, args.steps, args.device)), flush=True)
        return
    print(f"{args.model}, random weights, {choose_device(args.device)}, {torch.get_num_threads()} threads, ", end="")
    print(f"median of {args.steps} steps after one\n")
    together = choose_device(args.device).type == "cuda"
    batches = args.batches.split(",")
    rows: dict[str, dict[str, dict[str, float]]] = {batch: {} for batch in batches}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before all was measured"))
    try:
        for method in args.methods.split(","):
            for some in [batches] if together else [[batch] for batch in batches]:
                for batch, found in zip(some, _child(args, method, ",".join(some)), strict=True):
                    rows[batch][method] = found
    finally:
        for batch in batches:
            print(_table(batch, rows[batch]), flush=True)


def _child(args: argparse.Namespace, method: str, batches: str) -> list[dict[str, float]]:
    command = [sys.executable, __file__, "--model", args.model, "--steps", str(args.steps), "--device", args.device]
    done = subprocess.run([*command, "--one", method, batches], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{method}, batch {batches}:\n{done.stderr}")
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    print(f"{method}, batch {batches}: {found}", file=sys.stderr)
    return found


def measure(architecture: str, method: str, batch: int, steps: int, device: str) -> dict[str, float]:
    """One row, in this process: MB and samples/s."""
    towers = _towers(architecture, device)
    if towers.device.type == "cuda":
        gc.collect()  # of the batch before, modules refer to each other
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    step, model, frozen = _task(towers, method, batch)
    live = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(live, lr=1e-5)
    saved, times = 0, []
    for number in range(steps + 1):
        start = time.perf_counter()
        if number == 0:  # the first step warms up, and is the one whose saved tensors are counted
            loss, saved = _counting(
                step, {p.untyped_storage().data_ptr() for m in (model, *frozen) for p in m.parameters()}
            )
        else:
            loss = step()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        optimiser.step()
        loss.item()
        times.append(time.perf_counter() - start)
    weights = {p.untyped_storage().data_ptr(): p.numel() * 4 for m in (model, *frozen) for p in m.parameters()}
    trained = 4 * sum(p.numel() for p in live)
    cuda = towers.device.type == "cuda"
    return {
        "trained": sum(p.numel() for p in live) / 1e6, "saved": saved / 1e6, "weights": sum(weights.values()) / 1e6,
        "gradients": trained / 1e6, "moments": 2 * trained / 1e6,
        "training memory": (saved + sum(weights.values()) + 3 * trained) / 1e6,
        "peak": torch.cuda.max_memory_allocated() / 1e6 if cuda
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "samples/s": batch / median(times[1:]),
    }  # fmt: skip


def _towers(architecture: str, device: str) -> Backbone:
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(architecture)
    cfg = model.visual.preprocess_cfg
    size = cfg["size"][0] if isinstance(cfg["size"], (tuple, list)) else cfg["size"]
    tokenizer = open_clip.get_tokenizer(architecture)
    where = choose_device(device)
    return Backbone(architecture, OpenClip(model, tokenizer, size, cfg["mean"], cfg["std"], where), where)


def _task(towers: Backbone, method: str, batch: int) -> tuple[Callable[[], torch.Tensor], nn.Module, list[nn.Module]]:
    """A function that gives the loss of a batch, what is trained, and what is frozen beside it."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (batch, towers.size, towers.size, 3), dtype=np.uint8)
    texts = [" ".join(rng.choice(_WORDS, 12)) for _ in range(batch)]
    if method in BASELINE_RATES:
        model = Baseline(towers, method).train()
        towers.trainable_module().to("meta")  # the baseline trains its own copy; a user would hold one
        return lambda: step_loss(model, pixels, texts, 0.1), model, []
    name, _, cached = method.partition(" ")
    shape: dict[str, Any] = {"tap_channels": (), "text_tap_channels": ()} if name == "linear" else {}
    adapter = Adapter(AdapterConfig.of(towers, **shape)).to(towers.device).train()
    if name == "linear":
        for key, parameter in adapter.named_parameters():
            parameter.requires_grad_("project" in key or key == "log_scale")
    each = torch.arange(batch, device=towers.device)

    def loss(seen: Features, said: Features) -> torch.Tensor:
        with towers.autocast():  # as the training loop does
            images, texts = adapter.image(seen).float(), adapter.text(said).float()
        return batch_loss(images, texts, adapter.log_scale.exp(), Ids(each, each, each), 0.1)

    if not cached:
        return lambda: loss(towers.image(pixels), _plain(towers.text(texts))), adapter, [towers.trainable_module()]
    probe = towers.image(pixels[:1])
    spoken = text_features(towers, texts, Path(tempfile.mkdtemp()))
    arrays = tuple(_random((4 * batch, *t.shape[1:]), rng) for t in (probe.pooled, *probe.taps))
    features = ImageFeatures((arrays,))

    def cached_loss() -> torch.Tensor:
        rows = rng.integers(0, 4 * batch, batch)
        seen = to_device(features.batch(np.zeros_like(rows), rows), towers.device)
        return loss(seen, to_device(spoken.batch(spoken.rows(texts)), towers.device))

    towers.trainable_module().to("meta")  # released once the features are kept, as `train` does
    return cached_loss, adapter, []


def _plain(said: Features) -> Features:
    """With a mask that autograd may keep: what comes out of inference mode it may not."""
    return said if said.mask is None else replace(said, mask=said.mask.clone())


def _random(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    return rng.standard_normal(shape, dtype=np.float32).astype(np.float16)


def _counting(step: Callable[[], torch.Tensor], known: set[int]) -> tuple[torch.Tensor, int]:
    """The loss of a step, and the bytes that autograd saved for its backward pass: each storage once, weights never."""
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        return step(), sum(seen.values())


def _table(batch: str, rows: dict[str, dict[str, float]]) -> str:
    full = rows.get("full")
    names = ("trained, M", "saved, MB", "training memory, MB", "against full", "peak, MB", "samples/s", "against full")
    lines = [f"| batch {batch} | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for name, row in rows.items():
        memory = f"{100 * (row['training memory'] / full['training memory'] - 1):+.0f} %" if full else ""
        speed = f"{row['samples/s'] / full['samples/s']:.1f}x" if full else ""
        lines.append(
            f"| {name} | {row['trained']:.2f} | {row['saved']:.0f} | {row['training memory']:.0f} | {memory} "
            f"| {row['peak']:.0f} | {row['samples/s']:.1f} | {speed} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
