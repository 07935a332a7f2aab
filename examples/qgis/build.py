"""Makes the zip that QGIS installs (Plugins > Manage and Install Plugins > Install from ZIP).

python examples/qgis/build.py [FOLDER]
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PLUGIN = Path(__file__).with_name("geocmer_qgis")


def build(folder: Path) -> Path:
    """Write geocmer_qgis.zip into a folder and return its path."""
    target = folder / f"{PLUGIN.name}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(PLUGIN.iterdir()):
            if path.suffix in {".py", ".svg", ".txt"}:
                archive.write(path, f"{PLUGIN.name}/{path.name}")
    return target


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
