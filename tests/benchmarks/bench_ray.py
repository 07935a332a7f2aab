"""`geocmer tile --ray local` beside `geocmer tile` on one machine: seconds and processor time of all their processes.

Run: python tests/benchmarks/bench_ray.py [--scenes 8] [--side 1792] [--rounds 2]

Processor time is that of the command and of everything it started, Ray's own servers included, read while they run: the
last 0.1 s of a process may be missing. Two processors or more make as many workers; compare what both ways take.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from bench_tile import write

COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'geocmer'; from geocmer_cli.main import main; main()"]


def busy_seconds(process: psutil.Process, seen: dict[int, float]) -> None:
    """Note the processor time of a process and of all below it, by their ids."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            times = one.cpu_times()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        seen[one.pid] = max(seen.get(one.pid, 0.0), times.user + times.system)


def run(scenes: Path, store: Path, *more: str) -> tuple[float, float, int]:
    """Tile the scenes: seconds, processor seconds, and the most processes at a time that had a part in it."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, "tile", str(scenes), "--store", str(store), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen: dict[int, float] = {}
    while process.poll() is None:
        busy_seconds(psutil.Process(process.pid), seen)
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"geocmer tile {' '.join(more)} ended with {process.returncode}")
    return time.perf_counter() - start, sum(seen.values()), sum(used > 1 for used in seen.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--side", type=int, default=1792)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        scenes = Path(folder) / "scenes"
        scenes.mkdir()
        for number in range(args.scenes):
            path = write(scenes / f"{number}.tif", args.side, args.side, "uint8", tiled=True)
            path.write_bytes(path.read_bytes() + bytes([number]))  # one content would be one scene
        tiles = args.scenes * (args.side // 224) ** 2
        for turn in range(args.rounds):
            for name, more in (("local", ()), ("--ray local", ("--ray", "local"))):
                seconds, busy, processes = run(scenes, Path(folder) / f"store {turn}{name}", *more)
                print(
                    f"{name}: {tiles} tiles in {seconds:.1f} s, {busy:.1f} s of processor, {1e3 * busy / tiles:.0f} ms "
                    f"a tile, {processes} processes of more than a second",
                    flush=True,
                )


if __name__ == "__main__":
    main()
