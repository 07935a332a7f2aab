"""The web app at a million tiles: how soon it answers, and how much a browser loads.

    python tests/benchmarks/bench_serve.py --tiles 1000000 --folder /tmp/bench-serve

The first run makes the store: the tiles of `bench_search.py` under the name of the bundled encoder, whose text tower
then answers. Starts `geocmer serve` and prints the seconds until it answers, the bytes of all that the page loads by
kind, and the milliseconds of searches over HTTP, from the question to the last byte of the first 200 hits.
"""

from __future__ import annotations

import argparse
import http.client
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import psutil
from bench_search import SCENE, rows_of

from geocmer.ingest.writer import encoder_info
from geocmer.models.encoder import Encoder
from geocmer.store.store import Store

QUESTIONS = (
    "a lake",
    "dense houses",
    "an airport",
    "bare farmland",
    "a winding river",
    "a harbour",
    "snow",
    "a stadium",
)


def make(folder: Path, tiles: int) -> None:
    store = Store.open_or_create(folder / "store")
    encoder = Encoder.load()
    store.add_encoder(encoder_info(encoder))
    for start in range(store.count(), tiles, SCENE):
        count = min(SCENE, tiles - start)
        random = np.random.default_rng(start)
        vectors = random.standard_normal((count, encoder.dim)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        store.add_tiles(rows_of(start // SCENE, count), vectors)
    store.upkeep()


class Client:
    """Asks like a browser does, over one connection."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=600)

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path, headers={"Accept-Encoding": "identity"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def ms(self, path: str) -> float:
        began = time.perf_counter()
        self.get(path)
        return (time.perf_counter() - began) * 1e3


def first_page(client: Client) -> dict[str, int]:
    """Load what the page loads, and what that loads; bytes by kind, not compressed."""
    sizes: dict[str, int] = {}
    ahead, seen = ["/"], set()
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        body = client.get(path)
        kind = Path(path).suffix or ".html"
        sizes[kind] = sizes.get(kind, 0) + len(body)
        text = body.decode("utf-8", "replace")
        ahead += re.findall(r'(?:src|href)="(/(?:static|map)/[^"]+)"', text)
        ahead += [f"/static/js/{name}" for name in re.findall(r'from "\./([\w.]+)"', text)]
    sizes[".json"] = len(client.get("/map/land.json")) + len(client.get("/api/store"))
    return sizes


def cpu_seconds(server: subprocess.Popen[str]) -> float:
    """What the server has used of processors: on a busy machine it tells more than the clock."""
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    make(args.folder, args.tiles)
    began = time.perf_counter()
    command = [sys.executable, "-m", "geocmer_cli.main", "serve", "--port", "0", "--store", str(args.folder / "store")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        client = Client(address)
        client.get("/")
        wall = time.perf_counter() - began
        print(f"starts in {wall:.2f} s, to the first byte of the page; {cpu_seconds(server):.2f} s of processor time")
        sizes = first_page(client)
        print(f"first page, {sum(sizes.values()) / 1e6:.2f} MB not compressed: {sizes}")

        def search(text: str, **conditions: object) -> float:
            return client.ms("/api/search?" + urlencode({"q": text, **conditions}))

        print(
            f"first search, which waits for the model and makes the memory-mapped copy: {search('a town') / 1e3:.1f} s"
        )
        cases: dict[str, dict[str, object]] = {
            "anywhere": {},
            "in a box of 1 %": {"bbox": "-0.9,42,0.1,43"},
            "of a category": {"category": "water"},
            "by land cover": {"where": '"Built-up" > 0.3'},
            "10,000 hits, the first 200": {"k": 10_000},
        }
        print("| search | median ms | most | ms of processor time each, all threads |")
        for name, conditions in cases.items():
            search("a bridge", **conditions)
            before = cpu_seconds(server)
            spent = [search(text, **conditions) for text in QUESTIONS]
            busy = (cpu_seconds(server) - before) / len(QUESTIONS) * 1e3
            print(f"| {name} | {np.median(spent):.0f} | {max(spent):.0f} | {busy:.0f} |")
        search(QUESTIONS[0])
        print(f"the same again, from memory: {search(QUESTIONS[0]):.0f} ms")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
