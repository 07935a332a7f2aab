"""Print the declared floors as constraints for pip: `numpy>=2` in pyproject.toml becomes `numpy==2`.

    python .ci/floors.py > floors.txt && pip install --constraint floors.txt .

Only what a user installs; tools for development are taken as they come.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def floors(pyproject: Path) -> list[str]:
    """Every dependency at the version that its floor names, exact ones as they are."""
    found = []
    for dependency in tomllib.loads(pyproject.read_text())["project"]["dependencies"]:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(?:>=|==)([0-9][0-9.]*)", dependency)
        if not match:
            raise SystemExit(f"{dependency}: not NAME>=VERSION or NAME==VERSION; write it as one of these")
        found.append(f"{match[1]}=={match[2]}")
    return found


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in floors(Path(__file__).resolve().parents[1] / "pyproject.toml"))
