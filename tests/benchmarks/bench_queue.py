"""Recycled negatives at the batch sizes of little memory: validation mR against batch size, with and without the queue.

    python tests/benchmarks/bench_queue.py rsicd/captions.json ucm/captions.json eurosat/labels.json --seeds 2

Heads on the pooled vectors of several sets mixed, every row trained on as many images. "judged" leaves out of the
negatives of batch and queue what two of three similarities say may be right: text and text, image and image in the
frozen towers (above the 97 % quantile of random pairs), and image and text in the adapter (above the image's own).
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from geocmer.datasets.mixture import load_sets
from geocmer.models.adapter import Adapter
from geocmer.models.adapter_config import AdapterConfig
from geocmer.models.backbone import Backbone, Features
from geocmer.training.batches import BatchSampler
from geocmer.training.config import TrainConfig
from geocmer.training.feature_cache import default_cache
from geocmer.training.losses import Ids, Queue, batch_loss, queue_loss
from geocmer.training.optimizer import make_optimizer
from geocmer.training.training_data import TrainingData

QUANTILE = 0.97


@dataclass(frozen=True, slots=True)
class Judge:
    """Unit vectors of all training images (n, c) and texts (m, d) in the frozen towers, and what is alike in each."""

    images: Tensor
    texts: Tensor
    image_bound: float
    text_bound: float

    @classmethod
    def of(cls, data: TrainingData, pooled: Tensor) -> Judge:
        images = torch.nn.functional.normalize(pooled - pooled.mean(0), dim=-1)
        texts = torch.nn.functional.normalize(torch.from_numpy(data.texts.pooled), dim=-1)
        rng = np.random.default_rng(0)
        pairs = [rng.integers(0, len(vectors), (2, 20_000)) for vectors in (images, texts)]
        cosines = [(v[a] * v[b]).sum(1).numpy() for v, (a, b) in zip((images, texts), pairs, strict=True)]
        return cls(images, texts, *(float(np.quantile(c, QUANTILE)) for c in cosines))

    def __call__(self, of: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor], scores: Tensor, own: Tensor) -> Tensor:
        """(n, m) True where a pair of others may as well belong to a pair.

        Args:
            of: image and text rows of n pairs.
            others: image and text rows of m pairs.
            scores: cosines of the former's images with the latter's texts, or of texts with images, (n, m).
            own: cosines within the former pairs, (n,).
        """
        by_image = self.images[of[0]] @ self.images[others[0]].T > self.image_bound
        by_text = self.texts[of[1]] @ self.texts[others[1]].T > self.text_bound
        return by_text.int() + by_image.int() + (scores > own[:, None]).int() >= 2


def run(
    data: TrainingData, pooled: Tensor, shape: AdapterConfig, cfg: TrainConfig, judge: Judge | None, steps: int
) -> dict[str, float]:
    """Train for so many steps and return the validation figure of each set."""
    torch.manual_seed(cfg.seed)
    adapter, sampler = Adapter(shape).train(), BatchSampler(data.train, cfg, data.sizes)
    optimizer, schedule = make_optimizer(adapter, cfg, steps)
    queue, queued = Queue(cfg.queue, shape.dim), torch.zeros(0, dtype=torch.long)  # and the text rows of its pairs
    batches = islice((batch for epoch in count() for batch in sampler.epoch(epoch)), steps)
    for step, batch in enumerate(batches):
        text_rows = data.texts.rows(batch.texts)
        images = adapter.image(Features(pooled[batch.rows]))
        texts = adapter.text(Features(torch.from_numpy(data.texts.pooled[text_rows])))
        ids = Ids(*(torch.from_numpy(a) for a in (batch.rows, batch.owner, batch.text_ids)))
        scale, own = adapter.log_scale.exp().clamp(max=100), (images * texts).sum(1).detach()
        here, there = (ids.images, torch.from_numpy(text_rows)), (queue.owner, queued)
        excluded = data.false_negatives(batch.rows, batch.owner, text_rows)
        to_texts = data.false_negatives(batch.rows, queue.owner.numpy(), queued.numpy())
        to_images = data.false_negatives(queue.owner.numpy(), batch.owner, text_rows).T
        if judge:
            with torch.no_grad():
                excluded |= judge(here, here, images @ texts.T, own)
                to_texts |= judge(here, there, images @ queue.texts.T, own)
                to_images |= judge(here, there, texts @ queue.images.T, own)
        loss = batch_loss(images, texts, scale, ids, cfg.smoothing, excluded)
        if cfg.queue:
            if len(queue) and step >= cfg.queue_start * steps:
                judged = (excluded, to_texts, to_images)
                loss = loss + cfg.queue_weight * queue_loss(images, texts, scale, ids, queue, cfg.smoothing, judged)
            queue.push(images, texts, ids.owner, ids.texts)
            queued = torch.cat([queued, here[1]])[-cfg.queue :]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), cfg.clip)
        optimizer.step()
        schedule.step()
    return {val.name: val.score(adapter, data.texts).mean for val in data.validation}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", help="as `geocmer train` takes them")
    parser.add_argument("--weights", help="of each set, as 66,10,7")
    parser.add_argument("--batches", default="8,16,32,128")
    parser.add_argument("--images", type=int, default=14_000, help="that each row is trained on")
    parser.add_argument("--queue", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    weights = tuple(map(float, asked.weights.split(","))) if asked.weights else ()
    backbone, sets = Backbone.load(), load_sets(asked.sets)
    data = TrainingData.prepare(
        sets, backbone, TrainConfig(views=1, weights=weights), default_cache(), cache_images=True
    )
    rows = np.array_split(np.arange(len(data.train)), -(-len(data.train) // 256))
    pooled = torch.cat([data.images.batch(np.zeros_like(some), some).pooled for some in rows])
    judge, shape = Judge.of(data, pooled), AdapterConfig.of(backbone, tap_channels=(), text_tap_channels=())
    print("| batch | queue | judged | validation, mean over the seeds |\n|---|---|---|---|")
    for batch in map(int, asked.batches.split(",")):
        for queue in (0, asked.queue):
            for judged in (False, True):
                ends = []
                for seed in range(asked.seeds):
                    rate = 8e-4 * (batch / 128) ** 0.5
                    shown = {"views": 1, "weights": weights, "batch": batch, "queue": queue, "learning_rate": rate}
                    cfg = replace(TrainConfig(), **shown, seed=seed)
                    ends.append(run(data, pooled, shape, cfg, judge if judged else None, asked.images // batch))
                means = {name: statistics.mean(end[name] for end in ends) for name in ends[0]}
                figures = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
                print(f"| {batch} | {queue or 'none'} | {'yes' if judged else 'no'} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
