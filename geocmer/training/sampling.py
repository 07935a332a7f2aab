"""Which pictures an epoch sees: every set its share, every picture of a set as often as the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


def set_shares(sizes: Sequence[int], weights: Sequence[float]) -> NDArray[np.float64]:
    """Compute the share of each set in what training sees, (sets,), adding up to 1.

    Args:
        sizes: pictures of each set.
        weights: of each set, in any unit; none: every picture of all sets is seen equally often.

    Raises:
        InputError: not one weight a set, or one is not positive.
    """
    if weights and (len(weights) != len(sizes) or not min(weights) > 0):
        raise InputError(f"weights {list(weights)} do not fit {len(sizes)} sets; give one positive number for each")
    each = np.asarray(weights or sizes, np.float64)
    shares: NDArray[np.float64] = each / each.sum()
    return shares


def epoch_order(
    rng: np.random.Generator, sizes: Sequence[int], shares: NDArray[np.float64], total: int
) -> NDArray[np.int64]:
    """Draw the rows of an epoch, (total,): pictures of the sets one after the other are numbered through.

    A set is gone through whole before a picture of it comes again; a single set with as many pictures as `total` is
    permuted.
    """
    counts = np.floor(shares * total).astype(np.int64)
    counts[np.argsort(counts - shares * total, kind="stable")[: total - counts.sum()]] += 1
    rows = []
    for start, size, count in zip(np.cumsum([0, *sizes[:-1]]), sizes, counts, strict=True):
        passes = [rng.permutation(size) for _ in range(-(-int(count) // size))]
        rows.append(start + np.concatenate([np.empty(0, np.int64), *passes])[:count])
    return rng.permutation(np.concatenate(rows))
