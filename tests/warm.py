"""The `geocmer` command in a process of its own, forked from one that has the imports: what a shell runs, 2 s sooner.

`main` is the end that forks; `start` is what a test calls. They speak over a socket that keeps messages apart.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

IMPORTS = (
    "geocmer_cli.main", "geocmer_cli.search", "geocmer.ingest.pipeline", "geocmer.models.bundled",
    "geocmer.search.probability", "geopandas", "openvino", "pandas", "pyarrow.dataset", "pydantic", "pyogrio",
    "rich.progress", "scipy.spatial", "timm", "tokenizers",
)  # fmt: skip
"""Modules that most commands need. None of them starts a thread, which a fork would not have."""
MESSAGE_BYTES = 1 << 18


class Running:
    """A command that was started, as `subprocess.Popen`."""

    def __init__(self, end: socket.socket, pid: int) -> None:
        self._end, self.pid = end, pid

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not select.select([self._end], [], [], 0)[0]

    def wait(self) -> int:
        """Return its exit code, or minus the signal that ended it."""
        with self._end:
            return int(self._end.recv(MESSAGE_BYTES))


def server(path: Path) -> subprocess.Popen[bytes]:
    """Start the process that listens at a path and forks; it ends when its stdin is closed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        code = f"import sys; sys.path[:0] = {sys.path!r}; import warm; warm.main({listener.fileno()})"
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, pass_fds=[listener.fileno()])


def start(
    path: str | Path, arguments: list[str], streams: tuple[int, int, int], environment: Mapping[str, str] = os.environ
) -> Running:
    """Start the command with these stdin, stdout and stderr, in the current folder."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.connect(str(path))
    asked = {"arguments": arguments, "environment": dict(environment), "folder": str(Path.cwd())}
    socket.send_fds(end, [json.dumps(asked).encode()], streams)
    return Running(end, int(end.recv(MESSAGE_BYTES)))


def stand_in(path: str) -> None:
    """Run the command with the arguments and streams of this process, and pass signals on to it."""
    running = start(path, sys.argv[1:], (0, 1, 2))
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda number, _: os.kill(running.pid, number))
    code = running.wait()
    sys.exit(code if code >= 0 else 128 - code)


def main(listening: int) -> None:
    """Fork a process for each who asks, until stdin is closed; only such a process gets arguments, and runs."""
    for module in IMPORTS:
        __import__(module)
    gc.freeze()  # pages that the collector writes into are copied
    arguments = _serve(socket.socket(fileno=listening))
    if arguments is not None:
        from geocmer_cli.main import main as command

        sys.argv = ["geocmer", *arguments]
        code: Any = 0
        try:
            command()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 1
        _end(code)


def _end(code: int) -> NoReturn:
    """End as an interpreter does, but for taking its modules apart, which takes as long as to import them."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"Exception ignored in: {error!r}", file=sys.stderr)
        code = 120
    sys.stderr.flush()
    os._exit(code)


def _serve(listener: socket.socket) -> list[str] | None:
    waited: list[socket.socket | int] = [listener, 0]
    while listener in select.select(waited, [], [])[0]:
        end, _ = listener.accept()
        _reap(os.WNOHANG)
        if os.fork():
            end.close()
            continue
        listener.close()
        message, streams, _, _ = socket.recv_fds(end, MESSAGE_BYTES, 3)
        pid = os.fork()
        if not pid:
            end.close()
            return _become(json.loads(message), streams)
        for stream in streams:
            os.close(stream)
        end.send(str(pid).encode())
        end.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
        os._exit(0)
    _reap(0)
    return None


def _reap(how: int) -> None:
    """Wait for who watched a command: for all, or with `WNOHANG` for those that ended."""
    with suppress(ChildProcessError):  # there is none
        while os.waitpid(-1, how)[0]:
            pass


def _become(asked: dict[str, Any], streams: list[int]) -> list[str]:
    """Take over folder, environment and streams, the last as a new interpreter opens them; return the arguments."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells take from what runs in the background
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, given in enumerate(streams):
        os.dup2(given, number)
        os.close(given)
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding=encoding)  # noqa: SIM115
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        stream = open(number, "w", encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115
        stream.reconfigure(line_buffering=number == 2 or os.isatty(number), write_through=unbuffered)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    arguments: list[str] = asked["arguments"]
    return arguments
