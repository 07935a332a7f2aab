"""The peak memory of this process alone."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """Read the most that this process had in memory, MB.

    `ru_maxrss` is at least what the process had that started it, as Linux keeps it over `exec`.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
