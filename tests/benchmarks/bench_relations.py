"""Relations: precision of the join beside the plain query, and time at a million tiles.

    python tests/benchmarks/bench_relations.py constructed
    python tests/benchmarks/bench_relations.py mosaics RSICD_FOLDER
    python tests/benchmarks/bench_relations.py million FOLDER

RSICD_FOLDER holds captions.json and the images. Only validation images are read; their embeddings are kept in the
folder for temporary files. FOLDER gets the store of bench_search.py, or has it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely
from bench_search import DIM, SCENE, make, vectors_of

from geocmer.geometry.distance import distances
from geocmer.relations.join import join
from geocmer.relations.kinds import IN, NEAR
from geocmer.relations.parser import parse
from geocmer.relations.query import Clause
from geocmer.relations.relation_search import relate
from geocmer.search.probability import background, calibration_of
from geocmer.search.vector_search import nearest_tiles
from geocmer.store.store import EncoderInfo, Store, TileRow

if TYPE_CHECKING:
    from geocmer.models.encoder import Encoder

WORDS = {
    "playfields": "sports fields",
    "storagetanks": "storage tanks",
    "denseresidential": "dense residential area",
    "mediumresidential": "medium residential area",
    "sparseresidential": "sparse residential area",
    "railwaystation": "railway station",
    "baseballfield": "baseball field",
    "bareland": "bare land",
    "parking": "parking lot",
}
"""Scene classes whose name is not what one would ask for."""
PAIRS, SEEDS, TILE = 100, 2, 640.0
BOTH = "alpha next to beta"


def grid(side: int, west: float = 10.0, south: float = 50.0) -> np.ndarray:
    """Square tiles of 640 m, row by row."""
    high = TILE / 111_230
    wide = TILE / (111_320 * np.cos(np.radians(south)))
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    x, y = west + column.ravel() * wide, south + row.ravel() * high
    return shapely.box(x, y, x + wide, y + high)


def store_of(folder: Path, shapes: np.ndarray, vectors: np.ndarray, info: EncoderInfo) -> Store:
    """A store with a tile for every shape; the id is its number."""
    store = Store.create(folder)
    store.add_encoder(info)
    rows = [
        TileRow(f"{n:032x}", "5ce" + "0" * 29, n, 0, 224, shape, gsd=2.9, valid_share=1.0)
        for n, shape in enumerate(shapes)
    ]
    store.add_tiles(rows, vectors)
    return store


def precision(found: Sequence[int] | np.ndarray, true: np.ndarray, k: int = 10) -> float:
    """Share of the first k that are true, of those that can be."""
    return float(true[found[:k]].sum() / min(k, true.sum()))


def numbers(answer: object) -> list[int]:
    """The tiles of an answer."""
    return [int(hit.id, 16) for hit in answer.hits]  # type: ignore[attr-defined]


def constructed() -> None:
    """Tiles whose vectors are mixtures of known concepts with noise, on a grid; the relation is planted 10 times."""
    rng = np.random.default_rng(0)
    names = [*background(), "alpha", "beta"]
    basis = np.linalg.qr(rng.normal(size=(128, 128)))[0][: len(names)]
    info = EncoderInfo("0" * 32, "constructed", "", 128)

    at = {name: basis[n] for n, name in enumerate(names)} | {BOTH: (basis[-1] + basis[-2]) / np.sqrt(2)}
    shapes, side = grid(40), 40
    kind = rng.integers(0, len(background()), side * side)
    for n in range(30):  # thirty lone alphas, thirty lone betas, ten pairs that touch
        kind[(n * 53 + 7) % (side * side)] = len(names) - 2
        kind[(n * 53 + 30) % (side * side)] = len(names) - 1
    for n in range(10):
        kind[n * 157 + 3], kind[n * 157 + 4] = len(names) - 2, len(names) - 1
    vectors = basis[kind] + rng.normal(size=(len(kind), 128)) * 0.06
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    touching = shapely.STRtree(shapes)
    true = np.zeros(len(kind), bool)
    for a in np.flatnonzero(kind == len(names) - 2):
        true[a] = (kind[touching.query(shapes[a], "dwithin", 1e-6)] == len(names) - 1).any()
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder) / "store", shapes, vectors, info)
        related = numbers(relate(store, parse(BOTH), lambda texts: np.array([at[text] for text in texts])))
        plain = numbers(nearest_tiles(store, at[BOTH], k=10))
    print(f"constructed: {true.sum()} true of {len(true)}; precision@10 join {precision(related, true):.3f}, "
          f"one vector {precision(plain, true):.3f}")  # fmt: skip


def validation(folder: Path) -> tuple[np.ndarray, np.ndarray, Encoder]:
    """Embeddings (n, dim) and scene classes of the validation images, and the encoder."""
    from geocmer.imagery.images import ImageFile
    from geocmer.models.encoder import Encoder

    images = [i for i in json.loads((folder / "captions.json").read_text())["images"] if i["split"] == "val"]
    encoder = Encoder.load(device="cpu")
    cache = Path(tempfile.gettempdir()) / f"rsicd_val_{encoder.fingerprint}.npz"
    if not cache.exists():
        paths = [folder / image["path"] for image in images]
        vectors = [
            encoder.encode_images(np.stack([ImageFile(path).pixels(224) for path in paths[n : n + 32]]))
            for n in range(0, len(paths), 32)
        ]
        np.savez(cache, vectors=np.concatenate(vectors), scenes=[image["txtclasses"][0] for image in images])
    kept = np.load(cache)
    return kept["vectors"], kept["scenes"], encoder


def mosaics(folder: Path) -> None:
    """Validation images on a grid in random order; a hit is true if its class and a neighbour's are those asked for."""
    vectors, scenes, encoder = validation(folder)
    classes = sorted(set(scenes))
    rng = np.random.default_rng(0)
    chosen = [list(permutations(classes, 2))[n] for n in rng.choice(len(classes) * (len(classes) - 1), PAIRS, False)]
    said = {a: WORDS.get(a, a) for a in classes}
    kinds = {"near": 1000.0, "next to": 100.0}
    texts = [*said.values(), *(f"{said[a]} {r} {said[b]}" for a, b in chosen for r in kinds)]
    encoded = [encoder.encode_texts(texts[n : n + 64]) for n in range(0, len(texts), 64)]
    known = dict(zip(texts, np.concatenate(encoded), strict=True))
    measure = calibration_of(encoder)
    assert measure is not None
    p = {text: measure.probability(vectors @ measure.directions(known[text][None])[0]) for text in said.values()}
    side = int(np.sqrt(len(scenes)))
    shapes = grid(side)
    extents = shapely.bounds(shapes)
    one, two = shapely.STRtree(shapes).query(shapes, "dwithin", 0.03)
    metres = distances(shapes[one], shapes[two])
    scores: dict[tuple[str, str], list[float]] = {}
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(scenes))[: side * side]
        here = scenes[order]
        for (a, b), (name, limit) in product(chosen, kinds.items()):
            close = metres <= limit
            true = np.zeros(len(here), bool)
            true[one[close & (here[two] == b)]] = True
            true &= here == a
            if not true.any():
                continue
            text = f"{said[a]} {name} {said[b]}"
            (clause,) = parse(text).clauses
            answers = {
                "relation join": join(extents, shapes.take, p[said[a]][order], [(clause, p[said[b]][order])], 10).rows,
                "one vector for all": np.argsort(-vectors[order] @ known[text])[:10],
                "first place alone": np.argsort(-vectors[order] @ known[said[a]])[:10],
            }
            for method, rows in answers.items():
                scores.setdefault((name, method), []).append(precision(rows, true))
    for (name, method), values in scores.items():
        print(f"{name:8s} {method:20s} precision@10 {np.mean(values):.3f} over {len(values)} queries")


def million(folder: Path) -> None:
    """Whole queries over a store of a million tiles, 384 numbers each; then the join alone."""
    folder.mkdir(parents=True, exist_ok=True)
    store, rng = make(folder, 1_000_000), np.random.default_rng(0)
    others = rng.standard_normal((len(background()), DIM))
    concepts = vectors_of(3, SCENE)[[17, 100, 7]] + 0.3 * rng.standard_normal((3, DIM)) / DIM**0.5
    known = dict(zip([*background(), "alpha", "beta", "gamma"], [*others, *concepts], strict=True))
    known = {text: (vector / np.linalg.norm(vector)).astype(np.float32) for text, vector in known.items()}

    def ask(text: str, keep: Literal["best", "newest"] | None) -> tuple[float, str]:
        began = time.perf_counter()
        answer = relate(store, parse(text), lambda texts: np.array([known[t] for t in texts]), keep=keep)
        assert len(answer.hits) == 10
        return time.perf_counter() - began, answer.plan.method

    first, method = ask("alpha near beta", None)
    print(f"first query, which makes the memory-mapped cache if there is none: {first:.1f} s; {method}")
    for relation in ("near", "next to", "within 20 km of", "north of", "in", "not near", "near beta and not near"):
        text = f"alpha {relation} {'gamma' if 'and' in relation else 'beta'}"
        spent = [float(np.median([ask(text, keep)[0] for _ in range(3)])) for keep in (None, "best")]
        print(f"{text:36s} {spent[0]:.2f} s; one hit for each place {spent[1]:.2f} s")
    alone()


def alone() -> None:
    """The join of probabilities on a grid of a million tiles of 640 m."""
    n, rng = 1_000_000, np.random.default_rng(0)
    shapes = grid(1000, south=45.0)
    extents = shapely.bounds(shapes)
    p = 1 / (1 + np.exp(2.2 * (3.1 - rng.standard_normal((2, n)))))
    far = p[1] * (np.arange(n) % 1000 < 500)  # the second concept in the western half only,
    east = p[0] * (np.arange(n) % 1000 >= 480)  # the first east of it: few pairs, of low scores
    row, column = np.divmod(np.arange(n), 1000)
    patches = np.where((row // 50 + column // 50) % 7 == 0, 0.9, 0.02) * (1 - 0.1 * p[1])  # as a desert is
    cases = [
        ("in", Clause(IN, "b"), p[0], patches),
        ("in, scattered", Clause(IN, "b"), p[0], p[1]),
        ("near, hardly together", Clause(NEAR, "b"), east, far),
    ]
    for name, clause, a, b in cases:
        began = time.perf_counter()
        ranked = join(extents, shapes.take, a, [(clause, b)], 10)
        took = time.perf_counter() - began
        print(f"join alone, {name:24s} {took:.2f} s; {ranked.examined} tiles worked out")


if __name__ == "__main__":
    name, *rest = sys.argv[1:] or ["constructed"]
    commands: dict[str, Callable[..., None]] = {"constructed": constructed, "mosaics": mosaics, "million": million}
    commands[name](*map(Path, rest))
