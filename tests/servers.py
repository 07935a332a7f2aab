"""Servers on loopback: one that gives byte ranges of files as web servers do, and one that speaks S3."""

from __future__ import annotations

import json
import multiprocessing
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
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


class _ObjectHandler(BaseHTTPRequestHandler):
    """Objects as Google (`/storage/v1/b/...`, `/BUCKET/...`) and Azure (`/dev/CONTAINER/...`) give them."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        parts, asked = urlsplit(self.path), self.headers.get("Range") or self.headers.get("x-ms-range") or ""
        with (self.folder / "requests.txt").open("a") as log:
            log.write(f"{self.command} {self.path} {asked}\n")
        json_api = parts.path.startswith("/storage/v1/b/")
        key = parts.path.removeprefix("/storage/v1/b/").replace("/o/", "/", 1) if json_api else parts.path
        file = self.folder / unquote(key).removeprefix("/dev/").lstrip("/")
        if not file.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = file.read_bytes()
        digest, when = md5(content).hexdigest(), "2024-01-01T00:00:00.000Z"
        if json_api and "alt=media" not in parts.query:
            facts = {"name": file.name, "bucket": "bucket", "size": str(len(content)), "etag": digest}
            facts |= {"generation": "1", "metageneration": "1", "updated": when, "timeCreated": when}
            content, asked = json.dumps(facts).encode(), ""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        first, last = (int(found[1]), int(found[2] or len(content) - 1)) if found else (0, len(content) - 1)
        part = content[first : last + 1]
        self.send_response(206 if found else 200)
        date = "Mon, 01 Jan 2024 00:00:00 GMT"
        for name, value in {"ETag": f'"{digest}"', "Last-Modified": date, "Content-Length": str(len(part))}.items():
            self.send_header(name, value)
        for name, value in {"blob-type": "BlockBlob", "creation-time": date, "server-encrypted": "true"}.items():
            self.send_header(f"x-ms-{name}", value)
        for name, value in {"lease-state": "available", "lease-status": "unlocked", "request-id": "1"}.items():
            self.send_header(f"x-ms-{name}", value)
        if found:
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(part)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: Any) -> None:
        pass


def _serve_objects(folder: Path, port: Connection) -> None:
    _ObjectHandler.folder = folder
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _ObjectHandler)
    httpd.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients cut connections when they have enough
    port.send(httpd.server_port)
    httpd.serve_forever()


@contextmanager
def object_server(folder: Path) -> Iterator[str]:
    """Serve folders as buckets of Google's and containers of Azure's storage, its account `dev`; yields `HOST:PORT`.

    In a process of its own: pyarrow keeps the interpreter to itself while it waits for Google's answer.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve_objects, args=(folder, there), daemon=True)
    process.start()
    try:
        yield f"127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
