"""Servers on loopback: one that gives byte ranges of files as web servers do, and one that speaks S3."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class RangeServer:
    """A folder behind HTTP. `requests` are (method, path, range); `broken` maps a path to the status it answers."""

    folder: Path
    url: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    broken: dict[str, list[int]] = field(default_factory=dict)
    """Statuses that the next requests of a path get, one after the other; the last one stays."""
    allowed: dict[str, str] = field(default_factory=dict)
    """Headers that every request needs."""
    moved: dict[str, str] = field(default_factory=dict)
    """Path -> the address that it is now at."""
    heard: list[dict[str, str]] = field(default_factory=list)
    """Headers of each request."""
    sent: int = 0

    def handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path).lstrip("/")
                asked = self.headers.get("Range", "")
                server.requests.append((self.command, self.path, asked))
                server.heard.append(dict(self.headers))
                if path in server.moved:
                    self.send_response(302)
                    self.send_header("Location", server.moved[path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                statuses = server.broken.get(path, [])
                status = (statuses.pop(0) if len(statuses) > 1 else statuses[0]) if statuses else 0
                if any(self.headers.get(name) != value for name, value in server.allowed.items()):
                    status = 401
                file = server.folder / path
                if not status and not file.is_file():
                    status = 404
                if status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = file.read_bytes()
                found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
                first, last = (int(found[1]), int(found[2] or len(content) - 1)) if found else (0, len(content) - 1)
                part = content[first : last + 1]
                self.send_response(206 if found else 200)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("ETag", f'"{md5(content).hexdigest()}"')
                self.send_header("Content-Length", str(len(part)))
                if found:
                    self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
                self.end_headers()
                if self.command == "GET":
                    server.sent += len(part)
                    self.wfile.write(part)

            do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def range_server(folder: Path) -> Iterator[RangeServer]:
    """Serve a folder on loopback."""
    state = RangeServer(folder)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), state.handler())
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        httpd.server_close()


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3 server on loopback, with one bucket called `bucket`; yields its address."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
