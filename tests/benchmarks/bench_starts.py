"""How long a command takes to start: `--help`, `search --help`, a search by words; of several checkouts in turns.

    python tests/benchmarks/bench_starts.py --store STORE [--checkout OTHER ...] [--times 21]

Each run is a new process. Checkouts take turns, so that what else the machine does falls on all of them alike; the
columns are medians of wall and processor time, milliseconds, and the ratio to the first checkout's. `{}` in STORE is
the name of the checkout's folder, where the checkouts have different models.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
START = "import sys; sys.argv[0] = 'geocmer'; from geocmer_cli.main import main; main()"
PLAIN_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "", "OMP_NUM_THREADS": "1"}


def run(checkout: Path, shim: Path, args: list[str]) -> tuple[float, float]:
    """Start the command of a checkout once; return wall and processor time, seconds."""
    environment = {**os.environ, **PLAIN_ENVIRONMENT, "PYTHONPATH": f"{checkout}{os.pathsep}{shim}"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", START, *args], env=environment, cwd=shim, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", required=True)
    parser.add_argument("--words", default="lake")
    parser.add_argument("--checkout", type=Path, action="append", default=[])
    parser.add_argument("--times", type=int, default=21)
    options = parser.parse_args()
    commands = {"--help": ["--help"], "search --help": ["search", "--help"]}
    commands[f"search {options.words}"] = ["search", options.words, "--store", str(Path(options.store).resolve())]
    with tempfile.TemporaryDirectory() as folder:
        shims = {}
        for number, checkout in enumerate([*options.checkout, HERE]):
            shims[checkout.resolve()] = shim = Path(folder) / str(number)
            shim.mkdir()
            (shim / "geocmer_cli").symlink_to(checkout.resolve() / "cli")
        print(f"{'command':<16} {'checkout':<24} {'wall':>7} {'ratio':>6} {'cpu':>7} {'ratio':>6}")
        for name, args in commands.items():
            found: dict[Path, list[tuple[float, float]]] = {checkout: [] for checkout in shims}
            for turn in range(options.times + 1):
                for checkout, shim in shims.items():
                    figures = run(checkout, shim, [arg.replace("{}", checkout.name) for arg in args])
                    if turn:  # the first one compiles, and reads from disk
                        found[checkout].append(figures)
            medians = {at: [1000 * statistics.median(f) for f in zip(*runs, strict=True)] for at, runs in found.items()}
            first = next(iter(medians.values()))
            for checkout, (wall, cpu) in medians.items():
                ratios = wall / first[0], cpu / first[1]
                print(f"{name:<16} {checkout.name:<24} {wall:7.0f} {ratios[0]:6.2f} {cpu:7.0f} {ratios[1]:6.2f}")


if __name__ == "__main__":
    main()
