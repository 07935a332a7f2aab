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
    """Identities in a batch: `images` (n,) image ids; `owner` (m,) the image id of each text; `texts` (m,) text ids.

    Equal captions have equal text ids, whichever image they describe.
    """

    images: Tensor
    owner: Tensor
    texts: Tensor

    def positive(self) -> Tensor:
        """Return (n, m), True where a text describes an image."""
        return self.images[:, None] == self.owner[None, :]

    def false_negatives(self, owner: Tensor | None = None, texts: Tensor | None = None) -> Tensor:
        """Return (n, m), True where a text that is not the image's own equals one of its own: no negative of the image.

        Args:
            owner: image ids of a queue's texts, (q,), to be judged in place of the batch's. They are never positive, so
                those of the same image are false negatives too.
            texts: text ids of the same, (q,).
        """
        own = self.positive()
        if owner is None or texts is None:
            return self._equals_own(self.texts) & ~own
        return self._equals_own(texts) | (self.images[:, None] == owner[None, :])

    def _equals_own(self, texts: Tensor) -> Tensor:
        """Return (n, q), True where one of an image's own texts equals a text."""
        equal = (self.texts[:, None] == texts[None, :]).float()
        return self.positive().float() @ equal > 0


def batch_loss(
    images: Tensor, texts: Tensor, scale: Tensor, ids: Ids, smoothing: float = 0.0, excluded: Tensor | None = None
) -> Tensor:
    """Compute the symmetric InfoNCE over a batch (CLIP's), with false negatives left out of both denominators.

    An image with several texts in the batch has the mean over them as its target (SupCon's "out", NeurIPS 2020).

    Args:
        images: unit vectors (n, d).
        texts: unit vectors (m, d).
        scale: inverse temperature.
        ids: identities of the n images and m texts.
        smoothing: share of the target spread evenly over the admitted entries.
        excluded: (n, m) True where a text may fit an image for another reason, and so is no negative of it.
    """
    logits, positive, false_negatives = scale * images @ texts.T, ids.positive(), ids.false_negatives()
    if excluded is not None:
        false_negatives = false_negatives | (excluded & ~positive)
    image_loss = _nce(logits, positive, false_negatives, smoothing)
    return (image_loss + _nce(logits.T, positive.T, false_negatives.T, smoothing)) / 2


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
        """Return the queued pairs, to resume from."""
        return {name: getattr(self, name) for name in ("images", "texts", "owner", "text_ids")}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the pairs of a `state_dict`."""
        for name, rows in state.items():
            setattr(self, name, rows.to(getattr(self, name).device))


def queue_loss(
    images: Tensor, texts: Tensor, scale: Tensor, ids: Ids, queue: Queue, smoothing: float = 0.0,
    excluded: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Tensor:  # fmt: skip
    """Compute the symmetric InfoNCE of a batch against the batch and the queue together.

    With weights that stand still, a queue of q pairs gives each row the loss it would have in a batch of q pairs more.
    Entries of the same image, or with the same caption, are never negatives.

    Args:
        images: unit vectors (n, d).
        texts: unit vectors (m, d).
        scale: inverse temperature.
        ids: identities of the n images and m texts.
        queue: with q pairs.
        smoothing: as in `batch_loss`.
        excluded: True where a text may fit an image for another reason, and so is no negative of it: of the batch's
            images and texts (n, m), its images and the queue's texts (n, q), its texts and the queue's images (m, q).
    """
    positive, alike = ids.positive(), ids.false_negatives()
    alike_texts = ids.false_negatives(queue.owner, queue.text_ids)
    alike_images = (ids.owner[:, None] == queue.owner[None, :]) | (ids.texts[:, None] == queue.text_ids[None, :])
    if excluded is not None:
        alike = alike | (excluded[0] & ~positive)
        alike_texts, alike_images = alike_texts | excluded[1], alike_images | excluded[2]
    queue_columns = (0, len(queue))  # no entry of the queue is positive
    to_texts = scale * images @ torch.cat([texts, queue.texts]).T
    to_images = scale * texts @ torch.cat([images, queue.images]).T
    return (
        _nce(to_texts, pad(positive, queue_columns), torch.cat([alike, alike_texts], 1), smoothing)
        + _nce(to_images, pad(positive.T, queue_columns), torch.cat([alike.T, alike_images], 1), smoothing)
    ) / 2


def _nce(logits: Tensor, positive: Tensor, excluded: Tensor, smoothing: float) -> Tensor:
    """Compute the mean over rows of -log p(positive), with `excluded` entries left out of the softmax."""
    log_p = logits.masked_fill(excluded, float("-inf")).log_softmax(-1).masked_fill(excluded, 0.0)
    hard = -((log_p * positive).sum(-1) / positive.sum(-1)).mean()
    if smoothing == 0:
        return hard
    uniform = -(log_p.sum(-1) / (~excluded).sum(-1)).mean()
    return (1 - smoothing) * hard + smoothing * uniform
