"""How people name a scene -> where it is: a file, or an object on a server that GDAL reads in parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit, urlunsplit

from ..errors import InputError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_GDAL_PREFIXES = {
    "http": "/vsicurl/http:/",
    "https": "/vsicurl/https:/",
    "s3": "/vsis3",
    "gs": "/vsigs",
    "az": "/vsiaz",
}
"""What GDAL writes for `SCHEME:/`."""
_PART = re.compile(r"(?:netcdf|hdf4|hdf4_\w+|hdf5|sentinel2_\w+|gpkg|nitf_im|gtiff_dir):", re.IGNORECASE)
"""GDAL's names of one raster among several in a file: `netcdf:FILE:PART`, `GTIFF_DIR:2:FILE` and the like."""
_FIELD = re.compile(r'"[^"]*"|[^:]+')
_SIGNATURES = {"x-amz-signature", "x-goog-signature", "signature", "sig", "token", "access_token", "api_key", "apikey"}
"""Parameters of an address that let whoever has it in, for a while."""


@dataclass(frozen=True, slots=True)
class SceneAddress:
    """Where a scene is.

    Attributes:
        uri: the path of a file, GDAL's name of a part of one, or `SCHEME://...`; what messages show.
        secret: the query of a signed address, which no store keeps and no message shows.
    """

    uri: str
    secret: str = ""

    @classmethod
    def of(cls, name: str | Path | SceneAddress, base: SceneAddress | None = None) -> SceneAddress:
        """Read a name.

        Args:
            name: a path, `file://`, `http://`, `https://`, `s3://`, `gs://` or `az://`, or a name of GDAL's `/vsi...`.
            base: the document that holds the name, if it is relative to one.

        Raises:
            InputError: its scheme is none that is read.
        """
        if isinstance(name, SceneAddress):
            return name
        text = _without_gdal_prefix(str(name))
        scheme = _SCHEME.match(text)
        if scheme is None:
            if base is not None and base.remote and not text.startswith("/"):
                return cls.of(f"{base.scheme}{urljoin('http' + base.uri.removeprefix(base.scheme), text)[4:]}")
            return cls(text if base is None or base.remote else str(base.path.parent / text))
        kind = {"gcs": "gs"}.get(scheme[1].lower(), scheme[1].lower())
        if kind == "file":
            return cls(unquote(urlsplit(text).path))
        if kind not in _GDAL_PREFIXES:
            raise InputError(f"{text} has the scheme {scheme[1]!r}; give a file, http(s)://, s3://, gs:// or az://")
        if not kind.startswith("http"):  # keys of object stores may hold ? and #
            return cls(f"{kind}://{text[scheme.end() :]}")
        parts = urlsplit(text)
        if "@" in parts.netloc:
            raise InputError(f"{parts.hostname} is named with a password; set GDAL_HTTP_USERPWD=NAME:PASSWORD instead")
        signed = any(key.lower() in _SIGNATURES for key, _ in parse_qsl(parts.query, keep_blank_values=True))
        plain = urlunsplit((kind, parts.netloc, parts.path, "" if signed else parts.query, ""))
        return cls(plain, parts.query if signed else "")

    def __str__(self) -> str:
        return self.uri

    @property
    def remote(self) -> bool:
        """Whether it is on a server."""
        return _SCHEME.match(self.uri) is not None

    @property
    def scheme(self) -> str:
        """Name the kind of server; "file" for a file."""
        return self.uri.partition("://")[0] if self.remote else "file"

    @property
    def origin(self) -> str:
        """Name the server or the bucket, as `https://HOST` or `s3://BUCKET`; "" for a file."""
        return "/".join(self.uri.split("/")[:3]) if self.remote else ""

    @property
    def key(self) -> str:
        """Give what comes after the origin, without the slash."""
        return self.uri[len(self.origin) + 1 :]

    @property
    def path(self) -> Path:
        """The path of a file, also of one that only a part is meant of."""
        file = self._file
        return Path(file if file == self.uri else file.strip('"'))

    @property
    def part(self) -> str:
        """GDAL's name of a part of a file, without the file; "" where all of it is meant."""
        file = self._file
        return "" if file == self.uri else self.uri.replace(file, "", 1)

    @property
    def absolute(self) -> str:
        """Give the address as a store keeps it: the whole path of a file."""
        if self.remote:
            return self.uri
        file = self._file
        quote = '"' if file.startswith('"') else ""
        return self.uri.replace(file, f"{quote}{self.path.resolve()}{quote}", 1)

    @property
    def _file(self) -> str:
        """The file within the name of a part of it: what comes after the driver, and is no number."""
        if not _PART.match(self.uri) or Path(self.uri).exists():
            return self.uri
        return next((text for text in _FIELD.findall(self.uri.partition(":")[2]) if not text.isdigit()), self.uri)

    @property
    def name(self) -> str:
        """The last part: the file's name."""
        if not self.scheme.startswith("http"):
            return self.uri.rsplit("/", 1)[-1]
        return unquote(urlsplit(self.uri).path.rsplit("/", 1)[-1])

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The suffix of the name, in lower case."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def url(self) -> str:
        """Give the address as it is requested, with what signs it."""
        return f"{self.uri}?{self.secret}" if self.secret else self.uri

    @property
    def gdal_name(self) -> str:
        """Give the name by which GDAL opens it."""
        if not self.remote:
            return self.uri
        return _GDAL_PREFIXES[self.scheme] + self.url[len(self.scheme) + 2 :]


def _without_gdal_prefix(text: str) -> str:
    """Read `/vsicurl/https://...` and `/vsis3/...` as what they stand for."""
    if text.startswith(("/vsicurl/http://", "/vsicurl/https://")):
        return text.removeprefix("/vsicurl/")
    for scheme in ("s3", "gs", "az"):
        prefix = f"/vsi{scheme}/"
        if text.startswith(prefix):
            return f"{scheme}://{text.removeprefix(prefix)}"
    return text
