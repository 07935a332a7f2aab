"""Files on servers: what identifies one, small ones as a whole, and the names in a folder of an object store.

GDAL reads the pixels of remote scenes by itself; this is for what it does not tell (which file is this, is it the same
as before?) and for lists, STAC documents and tables. HTTP goes through the standard library, object stores through the
file systems of pyarrow, which find credentials where the tools of their makers do.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from ..errors import InputError
from .address import SceneAddress

HEAD_BYTES = 1024
"""Read to tell what a file is: enough for the signature of every format."""
MAX_DOCUMENT_BYTES = 256 * 2**20
"""A STAC document, list or VRT that is larger is none."""
TIMEOUT_SECONDS = 30
RETRIES = 4
_RETRIED = {429, 500, 502, 503, 504}
_REASONS = {
    401: "is not for everybody: set credentials, for instance GDAL_HTTP_BEARER or GDAL_HTTP_USERPWD",
    403: "may not be read: check the credentials, or whether a signed address has run out",
    404: "does not exist",
    410: "does not exist any more",
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What a server says of a file.

    Attributes:
        size: bytes, if it is said.
        version: its entity tag, else when it was last modified, else "".
        head: its first `HEAD_BYTES`.
    """

    size: int | None
    version: str
    head: bytes


def stat(address: SceneAddress) -> RemoteFile:
    """Ask a server for a file, by one request for its first bytes.

    Raises:
        InputError: there is none, it may not be read, or the server is not to be had.
    """
    with _translated(address):
        if address.scheme.startswith("http"):
            with _request(address, f"bytes=0-{HEAD_BYTES - 1}") as answer:
                total = re.search(r"/(\d+)$", answer.headers.get("Content-Range", "")) if answer.status == 206 else None
                size = total[1] if total else answer.headers.get("Content-Length")
                version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
                return RemoteFile(int(size) if size else None, version, answer.read(HEAD_BYTES))
        with _object_store(address).open_input_file(_object_name(address)) as file:
            facts = {_text(key).lower(): _text(value) for key, value in (file.metadata() or {}).items()}
            version = facts.get("etag") or facts.get("last-modified") or ""
            return RemoteFile(file.size(), version, file.read(HEAD_BYTES))


def read_document(address: SceneAddress) -> bytes:
    """Read a small file as a whole, from a server or the disk.

    Raises:
        InputError: it cannot be read, or is no document by its size.
    """
    with _translated(address):
        if not address.remote:
            file: Any = address.path.open("rb")
        elif address.scheme.startswith("http"):
            file = _request(address)
        else:
            file = _object_store(address).open_input_stream(_object_name(address), compression=None)
        with file:
            content = bytes(file.read(MAX_DOCUMENT_BYTES + 1))
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InputError(f"{address} has more than {MAX_DOCUMENT_BYTES // 2**20} MB, which no list of scenes has")
    return content


def list_folder(address: SceneAddress) -> list[SceneAddress]:
    """List the objects under a folder of an object store, in the order of their names.

    Raises:
        InputError: there is no such folder, or it is on a web server, which cannot be asked.
    """
    if address.scheme.startswith("http"):
        raise InputError(f"{address} is on a web server, which lists no folders; give the scenes, a list or STAC")
    from pyarrow.fs import FileSelector, FileType

    with _translated(address):
        selector = FileSelector(_object_name(address).rstrip("/"), recursive=True)
        found = _object_store(address).get_file_info(selector)
    paths = sorted(info.path for info in found if info.type == FileType.File)
    return [SceneAddress(f"{address.scheme}://{path}") for path in paths]


def object_file(address: SceneAddress) -> Any:
    """Open an object of an object store to read parts of it, as pyarrow has it."""
    with _translated(address):
        return _object_store(address).open_input_file(_object_name(address))


@contextmanager
def _translated(address: SceneAddress) -> Iterator[None]:
    """Raise in one line what networks and file systems raise."""
    try:
        yield
    except HTTPError as error:
        reason = _REASONS.get(error.code, f"is not given: the server answers {error.code} {error.reason}")
        raise InputError(f"{address} {reason}") from error
    except FileNotFoundError as error:
        raise InputError(f"{address} does not exist") from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or error
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "the server's certificate is not trusted; name its authority with CURL_CA_BUNDLE=FILE"
            raise InputError(f"{address} cannot be read: {hint} ({cause.verify_message})") from error
        text = str(cause).splitlines()[0] if str(cause) else type(error).__name__
        if "ACCESS_DENIED" in text or "HTTP status 403" in text:
            raise InputError(f"{address} {_REASONS[403]}") from error
        raise InputError(f"{address} cannot be read: {text[:200]}; check the network and the address") from error


def _request(address: SceneAddress, byte_range: str | None = None) -> HTTPResponse:
    headers = {"User-Agent": "geocmer", "Accept": "*/*"}
    if byte_range:
        headers["Range"] = byte_range
    headers |= dict(_extra_headers())
    opener = build_opener(HTTPSHandler(context=_certificates()), _Redirects)
    for attempt in range(RETRIES + 1):
        try:
            answer: HTTPResponse = opener.open(Request(address.url, headers=headers), timeout=TIMEOUT_SECONDS)
            return answer
        except HTTPError as error:
            if error.code not in _RETRIED or attempt == RETRIES:
                raise
            time.sleep(0.25 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


class _Redirects(HTTPRedirectHandler):
    """Follows a server to another one without what only the first was to be told, as GDAL does."""

    def redirect_request(self, req: Request, *others: Any) -> Request | None:
        """Leave credentials out of a request to another server; the last of the others is the new address."""
        request = super().redirect_request(req, *others)
        if request is not None and urlsplit(others[-1])[:2] != urlsplit(req.full_url)[:2]:
            for name in {*request.headers} - {"User-agent", "Accept", "Range"}:
                request.remove_header(name)
        return request


def _extra_headers() -> Iterator[tuple[str, str]]:
    """Read the credentials that GDAL reads from the environment."""
    bearer, password = os.environ.get("GDAL_HTTP_BEARER"), os.environ.get("GDAL_HTTP_USERPWD")
    if bearer:
        yield "Authorization", f"Bearer {bearer}"
    elif password:
        from base64 import b64encode

        yield "Authorization", f"Basic {b64encode(password.encode()).decode()}"
    for line in filter(None, re.split(r"\r?\n|,", os.environ.get("GDAL_HTTP_HEADERS", ""))):
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()


def _certificates() -> ssl.SSLContext:
    named = (os.environ.get(name) for name in ("GDAL_CURL_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    context = ssl.create_default_context(cafile=next(filter(None, named), None))
    if os.environ.get("GDAL_HTTP_UNSAFESSL", "").upper() in ("YES", "ON", "TRUE", "1"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _object_store(address: SceneAddress) -> Any:
    """Connect to an object store as the environment says, which GDAL reads too."""
    from pyarrow import fs

    if address.scheme == "gs":
        server = urlsplit(os.environ.get("CPL_GS_ENDPOINT", ""))  # GDAL's name for another server than Google's
        elsewhere = {"scheme": server.scheme, "endpoint_override": server.netloc} if server.netloc else {}
        return fs.GcsFileSystem(anonymous=_flag("GS_NO_SIGN_REQUEST"), **elsewhere)
    if address.scheme == "az":
        return fs.AzureFileSystem(**_azure_options(address))
    endpoint = s3_endpoint()
    options: dict[str, Any] = {"anonymous": True} if _flag("AWS_NO_SIGN_REQUEST") else {}
    if endpoint:
        options |= {"scheme": endpoint[0], "endpoint_override": endpoint[1]}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region or endpoint:
        options["region"] = region or "us-east-1"
    else:
        options["region"] = fs.resolve_s3_region(address.origin.removeprefix("s3://"))
    return fs.S3FileSystem(**options)


def _azure_options(address: SceneAddress) -> dict[str, str]:
    """Read account, key and server from the variables that GDAL reads; a connection string counts before the others."""
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    parts = {name: value for name, _, value in (item.partition("=") for item in text.split(";"))}
    named = {
        "account_name": parts.get("AccountName") or os.environ.get("AZURE_STORAGE_ACCOUNT"),
        "account_key": parts.get("AccountKey") or os.environ.get("AZURE_STORAGE_ACCESS_KEY"),
        "sas_token": parts.get("SharedAccessSignature") or os.environ.get("AZURE_STORAGE_SAS_TOKEN"),
    }
    options = {name: value for name, value in named.items() if value}
    if "account_name" not in options:
        raise InputError(
            f"{address} needs its account; set AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING"
        )  # fmt: skip
    server = urlsplit(parts.get("BlobEndpoint", ""))
    if server.netloc:
        for kind in ("blob", "dfs"):
            options[f"{kind}_storage_scheme"] = server.scheme
            options[f"{kind}_storage_authority"] = server.netloc.removeprefix(options["account_name"])
    return options


def s3_endpoint() -> tuple[str, str] | None:
    """Find another S3 server than Amazon's, as (scheme, host), by the names that AWS and GDAL give it."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if url:
        scheme, mark, host = url.rstrip("/").partition("://")
        return (scheme, host) if mark else ("https", scheme)
    host = os.environ.get("AWS_S3_ENDPOINT", "")
    secure = os.environ.get("AWS_HTTPS", "YES").upper() not in ("NO", "OFF", "FALSE", "0")
    return ("https" if secure else "http", host.split("://")[-1]) if host else None


def _object_name(address: SceneAddress) -> str:
    return address.uri.partition("://")[2]


def _text(value: bytes | str) -> str:
    """Return metadata as text, which Pyarrow gives as bytes for some stores."""
    return value.decode() if isinstance(value, bytes) else value


def _flag(name: str) -> bool:
    return os.environ.get(name, "").upper() in ("YES", "ON", "TRUE", "1")
