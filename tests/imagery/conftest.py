"""A server of files, and no credentials but those that a test gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import RangeServer, range_server


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_S3_ENDPOINT", "GDAL_HTTP_BEARER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with range_server(tmp_path) as state:
        yield state
