from __future__ import annotations

import json
from pathlib import Path

import pytest
from covers import FIVE


@pytest.fixture
def legend(tmp_path: Path) -> Path:
    path = tmp_path / "legend.json"
    path.write_text(json.dumps(FIVE))
    return path
