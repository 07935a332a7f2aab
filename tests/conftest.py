"""Fixtures that every test file may use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Before numpy and torch are imported, and for the processes that tests start: small products on several threads spend
# their time waiting for each other, twenty times as long where other work keeps the processors busy.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

# Which models were named here before is a user's own; tests start without any.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="geocmer-tests-")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# A loaded machine is no failure, and a change that passes once passes always: new examples are looked for on purpose,
# with `pytest --hypothesis-profile search`, not by whoever happens to run the suite.
settings.register_profile("geocmer", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("geocmer")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("real data is not present: ../shared/data")
    return SHARED
