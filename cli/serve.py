"""`geocmer serve`: the web app, on this machine."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as opt
from .console import say

if TYPE_CHECKING:
    from geocmer.collection import Collection

PORT = 8765


def serve(
    store: opt.StoreDir = opt.STORE,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; one that other machines reach needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help=f"Port; 0 for any. [{PORT}, or any if it is taken]")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_of: opt.AsOf = None,
    model: opt.Model = None,
    adapter: opt.AdapterDir = None,
    device: opt.Device = "auto",
) -> None:
    """Search a store in the browser: map, pictures, relations, dates, export.

    Only this machine can reach it, and it asks the network for nothing. At an address that other machines can reach
    (--host) every request needs a token, which is part of the address that is printed.

    Example: geocmer serve --store geocmer-store --open
    """
    from geocmer.errors import InputError

    try:
        import uvicorn

        from .web.app import make_app
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        raise InputError(f"the web app needs {package}; install it with: pip install 'geocmer[serve]'") from error
    from .web.security import is_loopback, new_token
    from .web.workspace import Workspace

    def opened(notify: Callable[[str], None]) -> Collection:
        from geocmer.collection import Collection

        collection = Collection(store, as_of=as_of, model=model, adapter=adapter, device=device, notify=notify)
        _ = collection.store  # there must be one
        return collection

    workspace = Workspace(opened)
    listener = listen(host, port)
    number = listener.getsockname()[1]
    token = None if is_loopback(host) else new_token()
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{number}/" + (f"?token={token}" if token else "")
    app = make_app(workspace, token, f"geocmer-{number}")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    warming_up = workspace.warm_up()
    print(address, flush=True)
    say(f"the store {store} is served there; stop with Ctrl+C")
    if open_page:
        import webbrowser

        webbrowser.open(address)
    with suppress(KeyboardInterrupt):  # which uvicorn raises once it has ended, or not if the loop ended before
        server.run(sockets=[listener])
    say("stopped")
    if warming_up.is_alive():  # in native code, where the end of the interpreter would abort it
        sys.stderr.flush()
        os._exit(0)


def listen(host: str, port: int | None) -> socket.socket:
    """Take a port: the one that is asked for, else the usual one, else any that is free.

    Raises:
        InputError: it cannot be taken.
    """
    from geocmer.errors import InputError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in (PORT, 0) if port is None else (port,):
        try:
            return socket.create_server((host, number), family=family)
        except OSError as error:
            reason = error.strerror or str(error)
    raise InputError(f"cannot listen at {host}, port {number}: {reason}; give another --host or --port")
