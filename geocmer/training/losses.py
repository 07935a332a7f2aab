"""The contrastive loss, as pure functions of unit vectors, and the queues that recycle negatives.

Negative sample recycling is the idea of arXiv 2501.10638: the number of negatives is decoupled from the batch, without
a second encoder. The formulas, masks and weights are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True, slots=True)
class Ids:
    """Who is who in a batch: `images` (n,) image ids; `owner` (m,) the image id of each text; `texts` (m,) text ids.

    Equal captions have equal text ids, whichever image they describe.
    """

    images: Tensor
    owner: Tensor
    texts: Tensor

    def positive(self) -> Tensor:
        """(n, m) True where a text describes an image."""
        return self.images[:, None] == self.owner[None, :]

    def never(self, owner: Tensor | None = None, texts: Tensor | None = None) -> Tensor:
        """(n, m) True where a text that is not the image's own is no negative of it: one of its own says the same.

        Args:
            owner: of other texts than the batch's, (q,); they are never positive, so one of the same image counts too.
            texts: their text ids.
        """
        own = self.positive()
        if owner is None or texts is None:
            return self._says(self.texts) & ~own
        return self._says(texts) | (self.images[:, None] == owner[None, :])

    def _says(self, texts: Tensor) -> Tensor:
        """(n, q) whether one of an image's own texts equals a text."""
        equal = (self.texts[:, None] == texts[None, :]).float()
        return self.positive().float() @ equal > 0


def batch_loss(images: Tensor, texts: Tensor, scale: Tensor, ids: Ids, smoothing: float = 0.0) -> Tensor:
    """Symmetric InfoNCE over a batch (CLIP's), with false negatives left out of both denominators.

    An image with several texts in the batch has the mean over them as its target (SupCon's "out", NeurIPS 2020).

    Args:
        images: unit vectors (n, d).
        texts: unit vectors (m, d).
        scale: inverse temperature.
        ids: of the n images and m texts.
        smoothing: share of the target spread evenly over the admitted entries.
    """
    logits, positive, never = scale * images @ texts.T, ids.positive(), ids.never()
    return (_nce(logits, positive, never, smoothing) + _nce(logits.T, positive.T, never.T, smoothing)) / 2


class Queue:
    """The last `size` embedded pairs, detached: negatives that cost no forward pass. First in, first out.

    `images` and `texts` are (q, d); `owner` and `text_ids` (q,) are their image and text ids.
    """

    def __init__(self, size: int, dim: int, device: torch.device | str = "cpu") -> None:
        self.size = size
        self.images, self.texts = (torch.zeros(0, dim, device=device) for _ in range(2))
        self.owner, self.text_ids = (torch.zeros(0, dtype=torch.long, device=device) for _ in range(2))

    def __len__(self) -> int:
        return len(self.owner)

    def push(self, images: Tensor, texts: Tensor, owner: Tensor, text_ids: Tensor) -> None:
        """Add k pairs, (k, d) vectors and (k,) ids; the oldest leave."""
        new = {"images": images, "texts": texts, "owner": owner, "text_ids": text_ids}
        for name, rows in new.items():
            setattr(self, name, torch.cat([getattr(self, name), rows.detach()])[-self.size :])

    def state_dict(self) -> dict[str, Tensor]:
        """What is needed to go on after an interrupt."""
        return {name: getattr(self, name) for name in ("images", "texts", "owner", "text_ids")}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`."""
        for name, rows in state.items():
            setattr(self, name, rows.to(getattr(self, name).device))


def queue_loss(images: Tensor, texts: Tensor, scale: Tensor, ids: Ids, queue: Queue, smoothing: float = 0.0) -> Tensor:
    """Symmetric InfoNCE of a batch against the batch and the queue together.

    With weights that stand still, a queue of q pairs gives each row the loss it would have in a batch of q pairs more.
    Entries of the same image, or with the same caption, are never negatives.

    Args:
        images: unit vectors (n, d).
        texts: unit vectors (m, d).
        scale: inverse temperature.
        ids: of the n images and m texts.
        queue: with q pairs.
        smoothing: as in `batch_loss`.
    """
    positive, never = ids.positive(), ids.never()
    to_texts = torch.cat([never, ids.never(queue.owner, queue.text_ids)], 1)
    same = (ids.owner[:, None] == queue.owner[None, :]) | (ids.texts[:, None] == queue.text_ids[None, :])
    to_images = torch.cat([never.T, same], 1)
    none = (0, len(queue))
    of_images = _nce(scale * images @ torch.cat([texts, queue.texts]).T, pad(positive, none), to_texts, smoothing)
    of_texts = _nce(scale * texts @ torch.cat([images, queue.images]).T, pad(positive.T, none), to_images, smoothing)
    return (of_images + of_texts) / 2


def _nce(logits: Tensor, positive: Tensor, never: Tensor, smoothing: float) -> Tensor:
    """Mean over rows of -log p(positive), `never` left out of the softmax."""
    log_p = logits.masked_fill(never, float("-inf")).log_softmax(-1).masked_fill(never, 0.0)
    hard = -((log_p * positive).sum(-1) / positive.sum(-1)).mean()
    if smoothing == 0:
        return hard
    even = -(log_p.sum(-1) / (~never).sum(-1)).mean()
    return (1 - smoothing) * hard + smoothing * even
