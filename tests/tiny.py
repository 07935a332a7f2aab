"""Real open_clip towers with random weights, small enough to train in a test."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import torch

from geocmer.models.backbone import Backbone
from geocmer.models.openclip import OpenClip

WORDS, END = 16, 63


def tokenize(texts: list[str]) -> torch.Tensor:
    """Words as hashed ids, an end token (the highest id, where CLIP pools), padding 0."""
    tokens = torch.zeros(len(texts), WORDS, dtype=torch.long)
    for i, text in enumerate(texts):
        ids = [1 + zlib.crc32(word.encode()) % (END - 1) for word in text.split()][: WORDS - 1]
        tokens[i, : len(ids) + 1] = torch.tensor([*ids, END])
    return tokens


def tiny_clip(seed: int = 0) -> Backbone:
    """A ViT and a text transformer that share a space, 32 px."""
    from open_clip.model import CLIP

    torch.manual_seed(seed)
    image = {"image_size": 32, "patch_size": 8, "width": 32, "head_width": 16, "layers": 2}
    model = CLIP(16, image, {"context_length": WORDS, "vocab_size": 64, "width": 32, "heads": 2, "layers": 2})
    return _backbone("tiny", model, aligned=True)


def tiny_pair(folder: Path, seed: int = 0) -> Backbone:
    """An EfficientNet and a BERT of different spaces, as the bundled pair, 32 px."""
    from open_clip.model import CustomTextCLIP

    bert = {"model_type": "bert", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2}
    bert |= {"num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 32, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(bert))
    torch.manual_seed(seed)
    image: dict[str, Any] = {"timm_model_name": "tf_efficientnet_lite0", "timm_proj": "none", "timm_pool": "avg"}
    text = {"hf_model_name": str(folder), "hf_pooler_type": "mean_pooler", "hf_proj_type": None}
    model = CustomTextCLIP(32, image | {"image_size": 32}, text | {"hf_model_pretrained": False})
    return _backbone("pair", model, aligned=False)


def _backbone(name: str, model: torch.nn.Module, *, aligned: bool) -> Backbone:
    cpu = torch.device("cpu")
    return Backbone(name, OpenClip(model, tokenize, 32, (0.5,) * 3, (0.5,) * 3, cpu, aligned=aligned), cpu)
