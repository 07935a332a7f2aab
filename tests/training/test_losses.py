"""The contrastive losses against hand computation, and the queue against a larger batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from geocmer.training.losses import Ids, Queue, batch_loss, queue_loss


def _unit(seed: int, n: int, d: int = 5) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return normalize(torch.from_numpy(rng.normal(size=(n, d)).astype(np.float32)), dim=-1)


def _ids(images: list[int], owner: list[int], texts: list[int]) -> Ids:
    return Ids(*(torch.tensor(values) for values in (images, owner, texts)))


def _by_hand(
    rows: torch.Tensor, columns: torch.Tensor, scale: float, positive: list[list[int]], never: list[list[int]]
) -> float:
    """Mean over rows of the mean over their positives of -log of the softmax over the admitted, float64 loops."""
    total = 0.0
    for i, row in enumerate(rows.double().numpy()):
        terms = {
            j: np.exp(scale * float(row @ column))
            for j, column in enumerate(columns.double().numpy())
            if j not in never[i]
        }
        total += np.mean([-np.log(terms[j] / sum(terms.values())) for j in positive[i]])
    return total / len(rows)


def test_equals_the_hand_computed_loss() -> None:
    images, texts = _unit(0, 4), _unit(1, 4)
    ids = _ids([7, 8, 9, 6], [7, 8, 9, 6], [0, 1, 0, 2])  # the first and the third say the same
    own, hidden = [[0], [1], [2], [3]], [[2], [], [0], []]
    expected = (_by_hand(images, texts, 9.0, own, hidden) + _by_hand(texts, images, 9.0, own, hidden)) / 2
    assert batch_loss(images, texts, torch.tensor(9.0), ids).item() == pytest.approx(expected, rel=1e-5)


def test_several_texts_of_an_image_are_all_its_positives() -> None:
    images, texts = _unit(0, 2), _unit(1, 4)
    ids = _ids([0, 1], [0, 0, 1, 1], [10, 11, 12, 11])  # text 1 of image 0 and text 3 of image 1 are equal
    to_texts = _by_hand(images, texts, 4.0, [[0, 1], [2, 3]], [[3], [1]])
    to_images = _by_hand(texts, images, 4.0, [[0], [0], [1], [1]], [[], [1], [], [0]])
    got = batch_loss(images, texts, torch.tensor(4.0), ids)
    assert got.item() == pytest.approx((to_texts + to_images) / 2, rel=1e-5)


def test_an_equal_caption_is_never_pushed_away() -> None:
    texts = _unit(1, 3).requires_grad_()
    batch_loss(_unit(0, 3), texts, torch.tensor(5.0), _ids([0, 1, 2], [0, 1, 2], [4, 4, 4])).backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    assert texts.grad is not None
    assert texts.grad.abs().max() == 0  # no negatives at all: nothing to learn from


def test_smoothing_mixes_in_the_even_target() -> None:
    images, texts = _unit(2, 4), _unit(3, 4)
    log_p = (3.0 * images @ texts.T).log_softmax(-1)
    log_q = (3.0 * texts @ images.T).log_softmax(-1)
    hard = -(log_p.diag().mean() + log_q.diag().mean()) / 2
    even = -(log_p.mean() + log_q.mean()) / 2
    four = list(range(4))
    got = batch_loss(images, texts, torch.tensor(3.0), _ids(four, four, four), smoothing=0.2)
    assert got.item() == pytest.approx((0.8 * hard + 0.2 * even).item(), rel=1e-5)


def test_a_queue_equals_a_batch_of_as_many_more_negatives() -> None:
    n, q, scale = 5, 7, 6.0
    images, texts = _unit(4, n + q), _unit(5, n + q)
    queue = Queue(q, images.shape[1])
    rest = torch.arange(n, n + q)
    queue.push(images[n:], texts[n:], rest, rest)
    first = list(range(n))
    got = queue_loss(images[:n], texts[:n], torch.tensor(scale), _ids(first, first, first), queue)
    own = [[i] for i in first]
    none: list[list[int]] = [[] for _ in first]
    large = _by_hand(images[:n], texts, scale, own, none) + _by_hand(texts[:n], images, scale, own, none)
    assert got.item() == pytest.approx(large / 2, rel=1e-5)


def test_queue_entries_of_the_same_image_or_caption_are_no_negatives() -> None:
    images, texts = _unit(6, 5), _unit(7, 5)
    queue = Queue(3, 5)
    queue.push(images[2:], texts[2:], torch.tensor([0, 8, 9]), torch.tensor([5, 6, 1]))
    got = queue_loss(images[:2], texts[:2], torch.tensor(3.0), _ids([0, 1], [0, 1], [0, 1]), queue)
    # entry 2 is of image 0; entry 4 says what image 1's caption says
    to_texts = _by_hand(images[:2], texts, 3.0, [[0], [1]], [[2], [4]])
    to_images = _by_hand(texts[:2], images, 3.0, [[0], [1]], [[2], [4]])
    assert got.item() == pytest.approx((to_texts + to_images) / 2, rel=1e-5)


def test_the_queue_is_first_in_first_out_and_detached() -> None:
    queue = Queue(4, 2)
    for start in (0, 3):
        rows = torch.arange(start, start + 3)
        queue.push(rows[:, None].float().expand(3, 2).requires_grad_(), torch.zeros(3, 2), rows, rows)
    assert queue.owner.tolist() == [2, 3, 4, 5]
    assert not queue.images.requires_grad
    again = Queue(4, 2)
    again.load_state_dict(queue.state_dict())
    assert torch.equal(again.images, queue.images)
    assert len(again) == 4
