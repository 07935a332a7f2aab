"""Structure kept from the frozen towers as a term of the loss: validation over seeds, by the weight of the term.

    python tests/benchmarks/bench_structure.py "rsicd/captions.json#sample=2000" "ucm/captions.json#sample=500" \
        "eurosat/labels.json#sample=600" clouds_desert/labels.json "ships/labels.json#sample=100" \
        --shares 70,10,7,2,1.5 --judge rsicd/captions.json ucm/captions.json eurosat/labels.json nwpu12/labels.json \
        nwpu_extra7/labels.json

For pictures, and for captions, the term is the KL divergence from the softmax of their cosines among each other in the
tower (centred, temperature 0.1) to that in the branch. mR of a captioned set; of a labelled one accuracy and P@20, all
in percent: mean ± sd over the seeds, then the differences to the first weight, seed by seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize, softmax
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from geocmer.datasets.mixture import load_sets
from geocmer.evaluation.class_retrieval import class_scores
from geocmer.evaluation.recall import recall
from geocmer.models.adapter import Adapter
from geocmer.models.adapter_config import AdapterConfig
from geocmer.models.backbone import Backbone
from geocmer.training.batches import BatchSampler
from geocmer.training.config import TrainConfig
from geocmer.training.feature_cache import default_cache, image_features
from geocmer.training.losses import Ids, batch_loss
from geocmer.training.optimizer import make_optimizer
from geocmer.training.text_features import text_features
from geocmer.training.training_data import TrainingData, ValidationSet
from geocmer.training.validation import similarity

TEMPERATURE = 0.1


def structure_loss(vectors: Tensor, frozen: Tensor) -> Tensor:
    """Measure how far the cosines among unit vectors (n, dim) are from those among pooled vectors (n, channels)."""
    pooled = normalize(frozen - frozen.mean(0), dim=-1)
    itself = torch.eye(len(vectors), dtype=torch.bool)
    wanted, got = ((v @ v.T / TEMPERATURE).masked_fill(itself, -1e4) for v in (pooled, vectors))
    return kl_div(log_softmax(got, -1), softmax(wanted, -1), reduction="batchmean")


def run(data: TrainingData, shape: AdapterConfig, cfg: TrainConfig, weight: float) -> Adapter:
    """Train one member, and return the average of its weights at the end."""
    torch.manual_seed(cfg.seed)
    adapter, sampler = Adapter(shape).train(), BatchSampler(data.train, cfg, data.sizes)
    optimizer, schedule = make_optimizer(adapter, cfg, sampler.steps * cfg.epochs)
    moving_average = get_ema_multi_avg_fn(cfg.average)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(adapter, multi_avg_fn=moving_average)
    averaged.update_parameters(adapter)
    for batch in (batch for epoch in range(cfg.epochs) for batch in sampler.epoch(epoch)):
        rows = data.texts.rows(batch.texts)
        seen, said = data.images.batch(batch.views, batch.rows), data.texts.batch(rows)
        images, texts = adapter.image(seen), adapter.text(said)
        ids = Ids(*(torch.from_numpy(a) for a in (batch.rows, batch.owner, batch.text_ids)))
        excluded = data.false_negatives(batch.rows, batch.owner, rows)
        scale = adapter.log_scale.exp().clamp(max=100)
        loss = batch_loss(images, texts, scale, ids, cfg.smoothing, excluded)
        if weight:
            kept = structure_loss(images, seen.pooled) + structure_loss(texts, said.pooled)
            loss = loss + weight * kept / 2
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), cfg.clip)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(adapter)
    return cast("Adapter", averaged.module).eval()


def figures(adapter: Adapter, sets: Sequence[ValidationSet], backbone: Backbone) -> NDArray[np.float64]:
    """Measure an adapter: mR of each captioned set, accuracy and P@20 of each labelled one, percent."""
    found = []
    for each in sets:
        texts = text_features(backbone, each.texts, default_cache())
        count = int(each.owner.max()) + 1 if each.correct is None else len(each.correct)
        cosines = similarity(adapter, each.images, texts, texts.rows(each.texts), count)
        if each.correct is None:
            found.append(recall(cosines, each.owner).mean)
        else:
            mean = class_scores(each.texts, cosines, each.correct)[-1]
            found += [100 * mean.accuracy, 100 * mean.precision]
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help="as `geocmer train` takes them")
    parser.add_argument("--shares", help="of each set, as 66,10,7")
    parser.add_argument("--judge", nargs="+", required=True, help="sets whose validation pictures are measured on")
    parser.add_argument("--weights", default="0,0.3,1", help="of the term")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=7)
    asked = parser.parse_args()
    shares = tuple(map(float, asked.shares.split(","))) if asked.shares else ()
    backbone, cfg = Backbone.load(device="cpu"), TrainConfig(views=1, weights=shares, epochs=asked.epochs)
    judged = []
    for each in load_sets(asked.judge):
        val = each.with_validation().split("val")
        judged.append(ValidationSet.of(val, 1.0, image_features(backbone, val, default_cache())))
    data = TrainingData.prepare(load_sets(asked.sets), backbone, cfg, default_cache(), cache_images=True)
    shape = AdapterConfig.of(backbone, dim=cfg.branch_dim, dropout=cfg.dropout, token_dropout=cfg.token_dropout)
    heads = " | ".join(f"{e.name}: " + ("mR" if e.correct is None else "accuracy | P@20") for e in judged)
    print(f"| weight | {heads} |\n|{'---|' * (heads.count('|') + 2)}")
    first = None
    for weight in map(float, asked.weights.split(",")):
        runs = [figures(run(data, shape, replace(cfg, seed=s), weight), judged, backbone) for s in range(asked.seeds)]
        found = np.array(runs)
        show(f"{weight:g}", found)
        first = found if first is None else first
        if first is not found:
            show(f"{weight:g}, difference", found - first)


def show(name: str, found: NDArray[np.float64]) -> None:
    """Print a row of means and spreads over the seeds, (seeds, figures)."""
    spread = found.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(found.shape[1])
    cells = " | ".join(f"{mean:.2f} ± {sd:.2f}" for mean, sd in zip(found.mean(axis=0), spread, strict=True))
    print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
