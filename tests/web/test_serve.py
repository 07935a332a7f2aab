"""`geocmer serve` as a person runs it: what it prints, how it ends, what it says where it cannot begin."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from commands import run


def start(store: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "geocmer_cli.main", "serve", "--store", str(store), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def status(address: str, path: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
    connection.request("GET", path)
    return connection.getresponse().status


def test_it_prints_its_address_and_ends_by_an_interrupt(web_store: Path) -> None:
    server = start(web_store, "--port", "0")
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    assert "token" not in address
    assert status(address, "/api/store") == 200
    server.send_signal(signal.SIGINT)
    _, said = server.communicate(timeout=120)
    assert server.returncode == 0
    assert said.splitlines()[-1] == "stopped"
    assert "Traceback" not in said


def test_where_others_can_reach_it_there_is_a_token(web_store: Path) -> None:
    server = start(web_store, "--port", "0", "--host", "0.0.0.0")
    assert server.stdout is not None
    parts = urlsplit(server.stdout.readline().strip())
    assert len(parts.query) > 30
    local = f"http://127.0.0.1:{parts.port}"
    assert status(local, "/api/store") == 401
    assert status(local, f"/?{parts.query}") == 303
    server.terminate()
    server.communicate(timeout=120)


def test_what_hinders_it_is_said_in_a_line(web_store: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = start(web_store, "--port", port)
        _, said = server.communicate(timeout=120)
    assert server.returncode == 1
    assert f"cannot listen at 127.0.0.1, port {port}" in said
    assert len(said.splitlines()) == 1
    code, _, said = run("serve", "--store", tmp_path / "none", "--port", 0)
    assert code == 1
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_names_it(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['geocmer', 'serve']\n"
        "from geocmer_cli.main import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == f"error: the web app needs {package}; install it with: pip install 'geocmer[serve]'"


def test_its_help_imports_no_server() -> None:
    code = (
        "import sys; sys.argv = ['geocmer', 'serve', '--help']\nfrom geocmer_cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'starlette', 'uvicorn', 'numpy', 'lance'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
