"""Fixtures that every test file may use."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

# Before numpy and torch are imported, and for the processes that tests start: small products on several threads spend
# their time waiting for each other, twenty times as long where other work keeps the processors busy.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

# Which models were named here before is a user's own; tests start without any.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="geocmer-tests-")

import pytest  # noqa: E402
import warm  # noqa: E402
from effort import RUN_EXAMPLES  # noqa: E402
from groups import group_of, is_long  # noqa: E402
from hypothesis import settings  # noqa: E402

# A loaded machine is no failure, and a change that passes once passes always: new examples are looked for on purpose,
# with `pytest --hypothesis-profile search`, not by whoever happens to run the suite.
settings.register_profile("geocmer", deadline=None, derandomize=True, max_examples=RUN_EXAMPLES)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("geocmer")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: not is_long(item.path.as_posix()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a group with one worker of `make test`.

    The marks of `--dist loadgroup` have no effect in pytest 9.2 with xdist 3.8, which writes them into ids of tests.
    """
    from xdist.scheduler import LoadFileScheduling

    class Groups(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(super()._split_scope(nodeid))

    return Groups(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("real data is not present: ../shared/data")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """Leave out what only protects from a power cut, 5 ms for each file of each store; tests of it watch the calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def processes() -> Any:
    """Processes that start with the modules there: forked from one that has no thread, nor Lance, which warns then."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["writers", "geocmer.ingest.pipeline", "pandas", "PIL.Image", "pyarrow.dataset", "torch"]
    )
    return context


@pytest.fixture(scope="session")
def warm_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where `warm.start` finds the process that runs the command."""
    path = tmp_path_factory.mktemp("warm") / "socket"
    with warm.server(path):
        yield path


@pytest.fixture(scope="session")
def bundled_encoder() -> Callable[[str, int], Any]:
    """The bundled model by device and views, each loaded once."""
    from geocmer.models.encoder import Encoder

    load = Encoder.load
    return cache(lambda device, views: load(device=device, views=views))


@pytest.fixture
def one_encoder(bundled_encoder: Callable[[str, int], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the bundled model gets the same one: to load it and its towers takes a second each time."""
    from geocmer.models.backbone import BUNDLED
    from geocmer.models.encoder import Encoder

    load = Encoder.load

    def known(model: str = BUNDLED, adapter: Any = None, device: str = "auto", views: int = 1) -> Encoder:
        if model != BUNDLED or adapter is not None:
            return load(model, adapter, device, views)
        encoder: Encoder = bundled_encoder(device, views)
        return encoder

    monkeypatch.setattr(Encoder, "load", known)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Headless Chromium, one for all tests of a process: Playwright cannot be started twice in one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield browser
        browser.close()
