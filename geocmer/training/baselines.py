"""Other ways to train the same towers, for comparison only: in-trunk adapters, LoRA, full fine-tuning.

Gradients run through the towers here, so nothing can be cached, and every activation of a trained tower is kept. A
baseline maps images and texts to unit vectors, as towers with an adapter do, and has a short loop of its own.
Normalisation statistics and dropout of the towers stay as in evaluation.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from .._files import naming_disk_errors
from ..datasets.pairs import PairSet
from ..errors import InputError, ModelError
from ..evaluation.recall import Recall, recall
from ..evaluation.similarity import pair_similarity
from ..models.backbone import Backbone
from .config import BASELINE_RATES, TrainConfig
from .distributed import world_size
from .loop import MAX_SCALE, Epoch
from .losses import Ids, batch_loss
from .optimizer import check_loss, make_optimizer
from .views import view

_BOTTLENECK_WIDTH, _LORA_RANK = 64, 8
"""Width of an in-trunk adapter, rank of LoRA: usual values, not tuned."""

_BLOCK_CLASSES = {
    *("ResidualAttentionBlock", "Block", "BertLayer", "RobertaLayer", "XLMRobertaLayer", "TransformerEncoderLayer"),
    *("Bottleneck", "BasicBlock", "InvertedResidual", "DepthwiseSeparableConv", "EdgeResidual"),
}
"""The residual blocks of open_clip, timm, BERT and bundled towers, by class name."""


class Baseline(nn.Module):
    """Towers of which some part, or all, is trained.

    Args:
        backbone: its weights are copied, never changed.
        method: a key of `BASELINE_RATES`.
        dim: dimensions of the joint space, for towers that do not share one.

    Raises:
        ModelError: the method has no place in these towers, or `peft` is not installed.
    """

    def __init__(self, backbone: Backbone, method: str, dim: int = 512) -> None:
        super().__init__()
        if method not in BASELINE_RATES:
            raise InputError(f"baseline {method!r} is unknown; choose one of {', '.join(BASELINE_RATES)}")
        self._backbone = backbone
        self.towers = copy.deepcopy(backbone.trainable_module())
        self.bottlenecks = nn.ModuleList()
        if method == "full":
            self.towers.requires_grad_(True)
        elif method == "lora":
            _add_lora(self.towers)
        else:
            self.bottlenecks.extend(self._add_bottlenecks())
        image = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8)).pooled.shape[-1]
        text = backbone.text(["probe"]).pooled.shape[-1]
        aligned = backbone.aligned
        self.image_head = nn.Identity() if aligned else nn.Linear(image, dim, bias=False)
        self.text_head = nn.Identity() if aligned else nn.Linear(text, dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(14.3).log())  # as the adapter starts
        self.to(backbone.device)

    def train(self, mode: bool = True) -> Baseline:
        """Set the mode of the heads; the towers stay in evaluation mode."""
        super().train(mode)
        self.towers.eval()
        return self

    def image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Embed images (n, height, width, 3) as unit vectors (n, dim)."""
        with self._backbone.autocast():
            pooled = self.towers.encode_image(self._backbone.prepare(pixels))
        return normalize(self.image_head(pooled.float()), dim=-1)

    def text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as unit vectors (n, dim)."""
        with self._backbone.autocast():
            pooled = self.towers.encode_text(self._backbone.tokenize(texts))
        return normalize(self.text_head(pooled.float()), dim=-1)

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed images as `image` does, without gradients, as an array (n, dim)."""
        with torch.inference_mode():
            return self.image(pixels).cpu().numpy()

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as `text` does, without gradients, as an array (n, dim)."""
        with torch.inference_mode():
            return self.text(texts).cpu().numpy()

    def _add_bottlenecks(self) -> Iterator[nn.Module]:
        """Hook a bottleneck behind every residual block of the towers; a first pass measures the blocks' channels."""
        blocks = [m for m in self.towers.modules() if type(m).__name__ in _BLOCK_CLASSES]
        if not blocks:
            raise ModelError(f"{self._backbone.spec} has no residual block to adapt; use --method lora or full")
        channels: dict[nn.Module, int] = {}

        def measure(block: nn.Module, _: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            channels[block] = first.shape[1 if first.ndim == 4 else -1]

        hooks = [block.register_forward_hook(measure) for block in blocks]
        with torch.no_grad():
            side = self._backbone.size
            self.towers.encode_image(self._backbone.prepare(np.zeros((1, side, side, 3), np.uint8)))
            self.towers.encode_text(self._backbone.tokenize(["probe"]))
        for hook in hooks:
            hook.remove()
        for block, count in channels.items():
            bottleneck = Bottleneck(count)
            block.register_forward_hook(bottleneck.adapt_output)
            yield bottleneck


class Bottleneck(nn.Module):
    """`x + up(gelu(down(x)))` over channels; `up` starts at 0, so the towers start as they were."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, _BOTTLENECK_WIDTH), nn.Linear(_BOTTLENECK_WIDTH, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Adapt tokens (..., channels), or a map (n, channels, height, width)."""
        tokens = x.movedim(1, -1) if x.ndim == 4 else x
        added: Tensor = self.up(nn.functional.gelu(self.down(tokens)))
        return x + (added.movedim(-1, 1) if x.ndim == 4 else added)

    def adapt_output(self, block: nn.Module, _: Any, output: Any) -> Any:  # noqa: ARG002 - the signature of a hook
        """Adapt a block's output, as a forward hook."""
        return (self(output[0]), *output[1:]) if isinstance(output, tuple) else self(output)


def train_baseline(
    pairs: PairSet, backbone: Backbone, out: Path, cfg: TrainConfig, on_epoch: Callable[[Epoch], None] | None = None
) -> tuple[Baseline, Recall]:
    """Train a baseline on the `train` split, and measure it on `val` after each epoch, into `out/metrics.jsonl`.

    No weights are written: a baseline is there to be compared with.

    Args:
        pairs: with splits `train` and `val`.
        backbone: where the towers' weights come from.
        out: folder of the metrics.
        cfg: `method` is the baseline; settings of the cache, the adapter and the average are not used.
        on_epoch: called after each.

    Returns:
        The baseline after the last epoch, and the best validation recall.
    """
    if world_size() > 1:
        raise InputError(f"method {cfg.method!r} runs in one process; start it without torchrun")
    train_set, val_set = pairs.split("train"), pairs.split("val")
    torch.manual_seed(cfg.seed)
    model = Baseline(backbone, cfg.method, cfg.branch_dim).train()
    batch = min(cfg.batch, len(train_set))
    steps = len(train_set) // batch
    optimizer, schedule = make_optimizer(model, cfg, steps * cfg.epochs)
    with naming_disk_errors(out, "--out"):
        out.mkdir(parents=True, exist_ok=True)
    best, lines = None, []
    for epoch in range(cfg.epochs):
        rng = np.random.default_rng([cfg.seed, epoch])
        order = rng.permutation(len(train_set))
        losses = []
        for step in range(steps):
            chosen = [train_set.pairs[i] for i in order[step * batch : (step + 1) * batch]]
            texts = [pair.captions[int(rng.integers(len(pair.captions)))] for pair in chosen]
            pixels = [pair.image.pixels(backbone.size) for pair in chosen]
            views = [
                view(image, int(rng.integers(cfg.views)), pair.image.digest())
                for image, pair in zip(pixels, chosen, strict=True)
            ]
            loss = step_loss(model, np.stack(views), texts, cfg.smoothing)
            check_loss(loss.item(), cfg, epoch * steps + step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), cfg.clip)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        found = recall(*pair_similarity(model, val_set, backbone.size))
        figures = Epoch(epoch, float(np.mean(losses)), found, best is None or found.mean > best.mean, cfg.epochs)
        best = found if figures.best else best
        lines.append(figures.to_json())
        with naming_disk_errors(out, "--out"):
            (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if on_epoch:
            on_epoch(figures)
    assert best is not None  # cfg.epochs >= 1
    return model, best


def step_loss(model: Baseline, pixels: NDArray[np.uint8], texts: Sequence[str], smoothing: float) -> Tensor:
    """Compute the contrastive loss, a scalar, of one batch of images and their texts."""
    device = model.log_scale.device
    text_ids = torch.from_numpy(np.unique([t.lower() for t in texts], return_inverse=True)[1].reshape(-1)).to(device)
    image_ids = torch.arange(len(texts), device=device)
    scale = model.log_scale.exp().clamp(max=MAX_SCALE)
    return batch_loss(model.image(pixels), model.text(texts), scale, Ids(image_ids, image_ids, text_ids), smoothing)


def _add_lora(towers: nn.Module) -> None:
    """Add low-rank updates to every linear map: attention, feed-forward layers, and 1 x 1 convolutions."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ModelError("--method lora needs the package peft; install it with: pip install peft") from error
    attention = [name for name, m in towers.named_modules() if isinstance(m, nn.MultiheadAttention)]
    targets = [
        name
        for name, m in towers.named_modules()
        if name in attention
        or (isinstance(m, nn.Linear) and not any(name.startswith(f"{a}.") for a in attention))
        or (isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1) and m.groups == 1)
    ]
    inject_adapter_in_model(LoraConfig(r=_LORA_RANK, lora_alpha=2 * _LORA_RANK, target_modules=targets), towers)
    for name, parameter in towers.named_parameters():
        parameter.requires_grad_("lora_" in name)
