"""Other ways to train the same towers, for comparison only: in-trunk adapters, LoRA, full fine-tuning.

Gradients run through the towers here, so nothing can be cached, and every activation of a trained tower is kept. A
baseline maps pictures and texts to unit vectors, as towers with an adapter do, and has a short loop of its own.
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

from ..datasets.pairs import PairSet
from ..errors import InputError, ModelError
from ..evaluation.recall import Recall, recall
from ..evaluation.similarity import pair_similarity
from ..models.backbone import Backbone
from .config import TrainConfig
from .distributed import size
from .loop import MAX_SCALE, Epoch, warmup_cosine, weight_groups
from .losses import Ids, batch_loss
from .views import view

RATES = {"adapter": 1e-3, "lora": 2e-4, "full": 1e-5}
"""The methods, and a peak learning rate that suits each: the more is trained, the smaller the step."""

_WIDTH, _RANK = 64, 8
"""Width of an in-trunk adapter, rank of LoRA: usual values, not tuned."""

_BLOCKS = {
    *("ResidualAttentionBlock", "Block", "BertLayer", "RobertaLayer", "XLMRobertaLayer", "TransformerEncoderLayer"),
    *("Bottleneck", "BasicBlock", "InvertedResidual", "DepthwiseSeparableConv", "EdgeResidual"),
}
"""The residual blocks of open_clip, timm, BERT and bundled towers, by class name."""


class Baseline(nn.Module):
    """Towers of which some part, or all, is trained.

    Args:
        backbone: its weights are copied, never changed.
        method: a key of `RATES`.
        dim: of the joint space, for towers that do not share one.

    Raises:
        ModelError: the method has no place in these towers, or `peft` is not installed.
    """

    def __init__(self, backbone: Backbone, method: str, dim: int = 512) -> None:
        super().__init__()
        if method not in RATES:
            raise InputError(f"baseline {method!r} is unknown; choose one of {', '.join(RATES)}")
        self._backbone = backbone
        self.towers = copy.deepcopy(backbone.whole())
        self.extra = nn.ModuleList()
        if method == "full":
            self.towers.requires_grad_(True)
        elif method == "lora":
            _add_lora(self.towers)
        else:
            self.extra.extend(self._adapters())
        image = backbone.image(np.zeros((1, backbone.size, backbone.size, 3), np.uint8)).pooled.shape[-1]
        text = backbone.text(["probe"]).pooled.shape[-1]
        shared = backbone.aligned
        self.image_head = nn.Identity() if shared else nn.Linear(image, dim, bias=False)
        self.text_head = nn.Identity() if shared else nn.Linear(text, dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(14.3).log())  # where the adapter starts, too
        self.to(backbone.device)

    def train(self, mode: bool = True) -> Baseline:
        """The towers stay in evaluation mode."""
        super().train(mode)
        self.towers.eval()
        return self

    def image(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Unit vectors (n, dim) of pictures (n, height, width, 3)."""
        with self._backbone.autocast():
            pooled = self.towers.encode_image(self._backbone.prepare(pixels))
        return normalize(self.image_head(pooled.float()), dim=-1)

    def text(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (n, dim) of texts."""
        with self._backbone.autocast():
            pooled = self.towers.encode_text(self._backbone.tokenize(texts))
        return normalize(self.text_head(pooled.float()), dim=-1)

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`image` as an array, without gradients."""
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self.image(pixels).cpu().numpy()
            return vectors

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """`text` as an array, without gradients."""
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self.text(texts).cpu().numpy()
            return vectors

    def _adapters(self) -> Iterator[nn.Module]:
        """A bottleneck behind every residual block, hooked into the towers; its width is seen in a first pass."""
        blocks = [m for m in self.towers.modules() if type(m).__name__ in _BLOCKS]
        if not blocks:
            raise ModelError(f"{self._backbone.spec} has no residual block to adapt; use --method lora or full")
        widths: dict[nn.Module, int] = {}

        def see(block: nn.Module, _: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            widths[block] = first.shape[1 if first.ndim == 4 else -1]

        seeing = [block.register_forward_hook(see) for block in blocks]
        with torch.no_grad():
            side = self._backbone.size
            self.towers.encode_image(self._backbone.prepare(np.zeros((1, side, side, 3), np.uint8)))
            self.towers.encode_text(self._backbone.tokenize(["probe"]))
        for hook in seeing:
            hook.remove()
        for block, width in widths.items():
            bottleneck = Bottleneck(width)
            block.register_forward_hook(bottleneck.behind)
            yield bottleneck


class Bottleneck(nn.Module):
    """`x + up(gelu(down(x)))` over channels; `up` starts at 0, so the towers start as they were."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, _WIDTH), nn.Linear(_WIDTH, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., channels), or a map (n, channels, height, width)."""
        tokens = x.movedim(1, -1) if x.ndim == 4 else x
        added: Tensor = self.up(nn.functional.gelu(self.down(tokens)))
        return x + (added.movedim(-1, 1) if x.ndim == 4 else added)

    def behind(self, block: nn.Module, _: Any, output: Any) -> Any:  # noqa: ARG002 - the signature of a hook
        """As a forward hook: the block's output, adapted."""
        return (self(output[0]), *output[1:]) if isinstance(output, tuple) else self(output)


def train_baseline(
    pairs: PairSet, backbone: Backbone, out: Path, cfg: TrainConfig, on_epoch: Callable[[Epoch], None] | None = None
) -> tuple[Baseline, Recall]:
    """Train a baseline on the `train` split, and measure it on `val` after each epoch, into `out/metrics.jsonl`.

    No weights are written: a baseline is there to be compared with.

    Args:
        pairs: with splits `train` and `val`.
        backbone: where the towers' weights come from.
        out: folder of the record.
        cfg: `method` is the baseline; what belongs to the cache, the adapter or the average is not used.
        on_epoch: called after each.

    Returns:
        The baseline after the last epoch, and the best validation recall.
    """
    if size() > 1:
        raise InputError(f"method {cfg.method!r} runs in one process; start it without torchrun")
    train_set, val_set = pairs.split("train"), pairs.split("val")
    torch.manual_seed(cfg.seed)
    model = Baseline(backbone, cfg.method, cfg.branch_dim).train()
    optimiser = torch.optim.AdamW(weight_groups(model, cfg), lr=cfg.learning_rate)
    batch = min(cfg.batch, len(train_set))
    steps = len(train_set) // batch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warmup_cosine(cfg.warmup, steps * cfg.epochs))
    out.mkdir(parents=True, exist_ok=True)
    best, lines = None, []
    for epoch in range(cfg.epochs):
        rng = np.random.default_rng([cfg.seed, epoch])
        order = rng.permutation(len(train_set))
        losses = []
        for step in range(steps):
            chosen = [train_set.pairs[i] for i in order[step * batch : (step + 1) * batch]]
            texts = [pair.captions[int(rng.integers(len(pair.captions)))] for pair in chosen]
            views = [view(pair.picture.pixels(backbone.size)[None], int(rng.integers(cfg.views))) for pair in chosen]
            loss = step_loss(model, np.concatenate(views), texts, cfg.smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), cfg.clip)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        found = recall(*pair_similarity(model, val_set, backbone.size))
        done = Epoch(epoch, float(np.mean(losses)), found, best is None or found.mean > best.mean)
        best = found if done.best else best
        lines.append(done.to_json())
        (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if on_epoch:
            on_epoch(done)
    assert best is not None  # cfg.epochs >= 1
    return model, best


def step_loss(model: Baseline, pixels: NDArray[np.uint8], texts: Sequence[str], smoothing: float) -> Tensor:
    """The contrastive loss of one batch of pictures and their texts."""
    device = model.log_scale.device
    same = torch.from_numpy(np.unique([t.lower() for t in texts], return_inverse=True)[1].reshape(-1)).to(device)
    each = torch.arange(len(texts), device=device)
    scale = model.log_scale.exp().clamp(max=MAX_SCALE)
    return batch_loss(model.image(pixels), model.text(texts), scale, Ids(each, each, same), smoothing)


def _add_lora(towers: nn.Module) -> None:
    """Low-rank updates beside every linear map: attention, feed-forward layers, and 1 x 1 convolutions."""
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
    inject_adapter_in_model(LoraConfig(r=_RANK, lora_alpha=2 * _RANK, target_modules=targets), towers)
    for name, parameter in towers.named_parameters():
        parameter.requires_grad_("lora_" in name)
