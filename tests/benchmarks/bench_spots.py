"""Where in a tile: how often the spot lies in the picture that was asked for, on mosaics of labelled pictures.

    python tests/benchmarks/bench_spots.py ../shared/data/rsicd/captions.json --split val --mosaics 100

A mosaic has 2 x 2 or 3 x 3 pictures, one of which shows the label that is asked for in its own words; no other has a
label that often lies beside it (`RELATED`). `windows` is `search.spot`; the others were tried beside it: `tokens` gives
the adapter the tokens of a third of the tile at a time, `covered` covers a third and looks what the score loses, and
`focus` is the attention of the focus layers, the same for every question. A method points at its highest cell.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.mosaics import Mosaic
from geocmer.imagery.images import ImageSource
from geocmer.models.backbone import Features
from geocmer.models.bundled import Bundled
from geocmer.models.encoder import Encoder
from geocmer.search.spot import CELLS, STEPS, best_window, evidence_map

SIZE = 256
"""Pixels of a mosaic's side, as tiles have them."""
WORDS = {
    "playfields": "playing field", "denseresidential": "dense residential area", "storagetanks": "storage tanks",
    "bareland": "bare land", "sparseresidential": "sparse residential area", "baseballfield": "baseball field",
    "mediumresidential": "medium residential area", "railwaystation": "railway station", "center": "center building",
    "industrial": "industrial area", "commercial": "commercial area", "parking": "parking lot",
}  # fmt: skip
RELATED = [
    {"playfields", "playground", "baseballfield", "stadium", "school"},
    {"denseresidential", "mediumresidential", "sparseresidential", "commercial", "center", "school", "church", "square",
     "industrial", "resort", "railwaystation", "parking"},
    {"river", "bridge", "pond", "port", "beach", "resort"},
    {"bareland", "desert", "mountain", "meadow", "farmland"},
    {"park", "pond", "forest", "meadow", "resort", "square"},
    {"viaduct", "bridge", "railwaystation"},
    {"airport", "industrial", "parking"},
    {"storagetanks", "industrial"},
]  # fmt: skip


def draw(pairs: Path, split: str, count: int) -> Iterator[tuple[int, str, int, np.ndarray]]:
    """Sides, label asked for, its cell counted row by row, and the mosaic's pixels, half of each size."""
    by_label: dict[str, list[ImageSource]] = {}
    for pair in load_pairs(pairs).split(split).pairs:
        label = (pair.scene or (pair.labels or ("",))[0]).replace(" ", "").lower()
        by_label.setdefault(label, []).append(pair.image)
    names, rng = sorted(by_label), np.random.default_rng(0)
    for number in range(count):
        side = 2 + number % 2
        asked = names[rng.integers(len(names))]
        others = [n for n in names if n != asked and not any({n, asked} <= group for group in RELATED)]
        cells = [asked, *rng.choice(others, side * side - 1, replace=len(others) < side * side - 1)]
        order = rng.permutation(side * side)
        parts = [by_label[cells[i]][rng.integers(len(by_label[cells[i]]))] for i in order]
        yield side, asked, int(np.flatnonzero(order == 0)[0]), Mosaic(tuple(parts)).pixels(SIZE)


def spread(scores: np.ndarray) -> np.ndarray:
    """The mean at each cell of the windows that show it, as `evidence_map` does."""
    total, count = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for number, score in enumerate(scores):
        row, col = divmod(number, STEPS)
        total[row : row + 2, col : col + 2] += score
        count[row : row + 2, col : col + 2] += 1
    return total / count


def covered(encoder: Encoder, query: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    mean, edges = pixels.mean((0, 1)).astype(np.uint8), np.round(np.linspace(0, SIZE, CELLS + 1)).astype(int)
    pictures = np.repeat(pixels[None], STEPS**2, axis=0)
    for number, picture in enumerate(pictures):
        row, col = divmod(number, STEPS)
        picture[edges[row] : edges[row + 2], edges[col] : edges[col + 2]] = mean
    return spread(-(encoder.encode_images(pictures) @ query))


def tokens(encoder: Encoder, query: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Of the bundled tower, whose pooled vector is the mean of its last convolution over the last tap."""
    towers = encoder.backbone._towers
    assert isinstance(towers, Bundled), "only of these is it known what they pool"
    assert encoder.adapter is not None
    with torch.inference_mode():
        _, maps = towers.image(encoder.backbone.prepare(pixels[None]), 2)
        last = towers._trunk.bn2(towers._trunk.conv_head(maps[1]))[0].flatten(1).T
        side = maps[1].shape[-1]
        middles = (np.arange(side) + 0.5) / side * CELLS
        inside = np.stack([np.outer(abs(middles - r - 1) < 1, abs(middles - c - 1) < 1)
                           for r in range(STEPS) for c in range(STEPS)])  # fmt: skip
        deep = torch.from_numpy(inside)
        wide = torch.nn.functional.interpolate(deep[:, None].float(), maps[0].shape[-2:])[:, 0] > 0
        masks = wide.flatten(1), deep.flatten(1)
        pooled = masks[1].float() @ last / masks[1].sum(1, keepdim=True)
        taps = tuple(tap.flatten(2).transpose(1, 2).expand(len(pooled), -1, -1) for tap in maps)
        return spread(encoder.adapter.image(Features(pooled, taps, image_masks=masks)).numpy() @ query)


def focus(encoder: Encoder, query: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    assert encoder.adapter is not None, "the focus layers are the adapter's"
    with torch.inference_mode():
        tap = encoder.adapter.focus_maps(encoder.backbone.image(pixels[None]))[0][0].mean(0).numpy()
    return tap.reshape(int(len(tap) ** 0.5), -1)


def windows(encoder: Encoder, query: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return evidence_map(encoder, query, pixels, np.ones(pixels.shape[:2], bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--mosaics", type=int, default=100)
    parser.add_argument("--methods", nargs="+", default=["windows", "tokens", "covered", "focus"])
    args = parser.parse_args()
    encoder = Encoder.load(device="cpu")
    right: dict[tuple[str, int], list[bool]] = {}
    overlaps: list[float] = []
    for side, label, cell, pixels in draw(args.pairs, args.split, args.mosaics):
        query = encoder.encode_texts([WORDS.get(label, label)])[0]
        for name in args.methods:
            heat = globals()[name](encoder, query, pixels)
            row, col = np.unravel_index(np.argmax(heat), heat.shape)
            at = int((row + 0.5) / len(heat) * side) * side + int((col + 0.5) / len(heat) * side)
            right.setdefault((name, side), []).append(at == cell)
            if name == "windows":
                top, left, height, width = best_window(heat, SIZE)
                y, x = divmod(cell, side)
                low, high = np.array([y, x]) * SIZE / side, np.array([y + 1, x + 1]) * SIZE / side
                sides = np.minimum(high, [top + height, left + width]) - np.maximum(low, [top, left])
                shared = float(np.prod(np.maximum(sides, 0)))
                overlaps.append(shared / (height * width + (SIZE / side) ** 2 - shared))
    print("| method | 2 x 2 | 3 x 3 |\n|---|---|---|\n| chance | 0.25 | 0.11 |")
    for name in args.methods:
        print(f"| {name} | {np.mean(right[name, 2]):.2f} | {np.mean(right[name, 3]):.2f} |")
    if overlaps:
        print(f"box and picture of `windows`: intersection over union {np.mean(overlaps):.2f} on average")


if __name__ == "__main__":
    main()
