"""Images that a set holds more than once under different names."""

from __future__ import annotations

from collections import Counter, defaultdict

from .pairs import PairSet


def duplicate_warnings(pairs: PairSet) -> list[str]:
    """Count the images that several splits, or one, hold under different names; every image is read for it.

    Raises:
        InputError: an image cannot be read.
    """
    splits_of: dict[bytes, list[str]] = defaultdict(list)
    for pair in pairs.pairs:
        splits_of[pair.image.digest()].append(pair.split)
    repeated = [splits for splits in splits_of.values() if len(splits) > 1]
    shared = Counter(" and ".join(sorted(set(splits))) for splits in repeated if len(set(splits)) > 1)
    found = [
        f"images that are the same in {splits}: {count}; their figures are too good, remove the copies"
        for splits, count in sorted(shared.items())
    ]
    within = sum(len(set(splits)) == 1 for splits in repeated)
    if within:
        found.append(f"images that one split holds under several names: {within}; remove the copies")
    return found
