"""Who may ask: pages of this app only, from this machine, or whoever holds the token.

Three things protect a server on a person's own machine. The `Host` header must name this machine, so that a foreign
name that was pointed at it (DNS rebinding) gets nothing. A request that another site's page makes is refused, by what
browsers say of it (Fetch Metadata, `Origin`), and what changes something asks for a header that only our own scripts
can set. Where other machines can reach the server a token is needed, which nobody can guess.
"""

from __future__ import annotations

import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SCRIPT_HEADER = "x-geocmer"
"""Sent by our scripts with what changes something: another site's page cannot set it without asking first."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may load and run: only what came with it, whatever a category or a file name says."""
RESPONSE_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Return whether an address to listen at can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """Make a token of 192 random bits."""
    return secrets.token_urlsafe(24)


class Guard:
    """Middleware that lets a request through or answers it with a refusal.

    Args:
        app: what it guards.
        token: that every request has to bring, in a cookie, as `Authorization: Bearer` or once as `?token=`; None:
            requests need none, and have to name this machine by one of `LOOPBACK_NAMES`.
        cookie: name of the cookie; browsers keep one jar for all ports of a machine.
    """

    def __init__(self, app: ASGIApp, token: str | None, cookie: str = "geocmer") -> None:
        self.app, self.token, self.cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        answer = self._refusal(scope) or self._login(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in RESPONSE_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await (answer or self.app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """Refuse what another name or another site's page asks for."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.token is None and _name(host) not in LOOPBACK_NAMES and not is_loopback(_name(host)):
            return PlainTextResponse(f"{host!r} is not this machine; open the address that was printed", 421)
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        opened = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"  # by a link: shows only the page
        foreign = (site not in ("none", "same-origin") and not opened) or (
            origin is not None and urlsplit(origin).netloc != host
        )
        if foreign:
            return PlainTextResponse("another site's page may not ask here", 403)
        if scope["method"] not in ("GET", "HEAD") and SCRIPT_HEADER not in headers:
            return PlainTextResponse(f"the header {SCRIPT_HEADER} is missing", 403)
        return None

    def _login(self, scope: Scope) -> Response | None:
        """Ask for the token; one in the address of the page goes into a cookie, and out of the address."""
        if self.token is None:
            return None
        headers = Headers(scope=scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token", "")
        if scope["path"] == "/" and given and self._is_right(given):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            answer = RedirectResponse(f"/?{rest}" if rest else "/", 303)
            answer.set_cookie(self.cookie, given, httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._is_right(bearer) or self._is_right(_cookie(headers.get("cookie", ""), self.cookie)):
            return None
        return PlainTextResponse("a token is needed; open the address that `geocmer serve` printed", 401)

    def _is_right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self.token or "").encode()) and bool(given)


def _name(host: str) -> str:
    """Take the name or address of a `Host` header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _cookie(header: str, name: str) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""
