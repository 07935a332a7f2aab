"""Rasters on servers, as GDAL opens them: settings for reading parts, what formats may be, and where a VRT may read.

A file on a server is somebody else's word. So a remote raster is opened by drivers that read one file and nothing else;
a remote VRT is read first, and may take its sources only from its own server.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from .._files import hash_file
from ..errors import InputError
from .address import SceneAddress
from .remote_file import HEAD_BYTES, read_document, s3_endpoint, stat

_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no listing, and no request for each sidecar that might be there
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",  # the header of a COG in one request
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",  # blocks that lie side by side in one request
    "GDAL_HTTP_MULTIPLEX": "YES",  # requests side by side, where the server speaks HTTP/2
    "GDAL_HTTP_MAX_RETRY": "4",  # after 429, 500, 502, 503, 504 and lost connections, with growing delays
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "30",  # seconds; GDAL itself waits for ever
    "GDAL_HTTP_LOW_SPEED_TIME": "60",  # seconds below the next line's bytes a second end a read
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/:/vsigs/:/vsiaz/",  # a file that was replaced is read anew
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
_SIGNATURES = (
    (b"II*\0", "GTiff"), (b"MM\0*", "GTiff"), (b"II+\0", "GTiff"), (b"MM\0+", "GTiff"),
    (b"\0\0\0\x0cjP  ", "JP2OpenJPEG"), (b"\xff\x4f\xff\x51", "JP2OpenJPEG"), (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"), (b"EHFA_HEADER_TAG", "HFA"), (b"NITF", "NITF"),
)  # fmt: skip
"""First bytes of remote rasters, and the one driver that may open them: formats that are one file and name no other."""
_MAX_DEPTH = 5
"""Of VRT files that name VRT files."""
MAX_SOURCES = 100_000
"""Of a remote VRT; each is asked for."""
_SOURCE_TAGS = ("sourcefilename", "sourcedataset")
_PLAIN_CLASSES = {"", "vrtsourcedrasterband", "vrtderivedrasterband"}
"""Classes of VRT whose elements name files by `_SOURCE_TAGS` alone."""


def gdal_options() -> dict[str, str]:
    """Give the settings under which GDAL reads from servers; what the environment sets already counts."""
    options = dict(_OPTIONS)
    endpoint = s3_endpoint()
    if endpoint:  # GDAL has names of its own for it; other servers than Amazon's have buckets in the path
        options |= {"AWS_S3_ENDPOINT": endpoint[1], "AWS_HTTPS": "YES" if endpoint[0] == "https" else "NO"}
        options["AWS_VIRTUAL_HOSTING"] = "FALSE"
    if os.environ.get("GDAL_HTTP_BEARER"):  # GDAL sends it only if it is told so a second time
        options["GDAL_HTTP_AUTH"] = "BEARER"
    return {name: value for name, value in options.items() if not os.environ.get(name)}


@dataclass(frozen=True, slots=True)
class RasterSource:
    """How GDAL is to open a raster.

    Attributes:
        address: of the raster.
        driver: that opens it; None for whichever does.
        options: GDAL's settings while it is opened and read.
        hash: of what servers say of a remote raster and its sources, size and entity tag; None for a file.
        origins: the servers and buckets that it is read from.
    """

    address: SceneAddress
    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    hash: str | None = None
    origins: frozenset[str] = frozenset()


def inspect_raster(address: SceneAddress, trust_sources: bool = False) -> RasterSource:
    """Look at a raster before GDAL does.

    Args:
        address: of the raster.
        trust_sources: let a remote VRT read files of this computer and of other servers.

    Raises:
        InputError: it cannot be read, is XML that is no VRT, or a remote VRT that reads elsewhere.
    """
    if not address.remote:
        named = frozenset(source.origin for source in _remote_sources_of_file(address))
        return RasterSource(address, None, gdal_options() if named else {}, None, named)
    facts, origins = [_facts(address, address)], {address.origin}
    driver = _driver(address, facts[0][1])
    if driver == "VRT":
        for source, fact in _iter_sources(address, address, trust_sources, 0):
            facts.append(fact)
            origins |= {source.origin} - {""}
            if len(facts) > MAX_SOURCES:
                raise InputError(f"scene {address} has more than {MAX_SOURCES:,} sources, which no VRT has")
    key = repr([identity for identity, _ in facts])
    name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    return RasterSource(address, driver, gdal_options(), name, frozenset(origins))


def remote_hash(address: SceneAddress) -> str:
    """Hash what the server says of a remote file that a local raster reads.

    Raises:
        InputError: it cannot be read.
    """
    return hashlib.blake2b(repr(_facts(address, address)[0]).encode(), digest_size=16).hexdigest()


def vrt_sources(address: SceneAddress, trusted: bool = False) -> list[SceneAddress]:
    """List what a VRT names, once each.

    Args:
        address: of the VRT.
        trusted: leave out names that are no plain files instead of refusing them, and take every kind of VRT.

    Raises:
        InputError: it is no VRT, cannot be parsed, or names what is no file.
    """
    text = read_document(address)
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, RecursionError, ValueError, LookupError) as error:
        raise InputError(f"scene {address} is XML that cannot be read ({str(error)[:100]})") from error
    if root.tag.lower() != "vrtdataset" or b"<!DOCTYPE" in text:
        raise InputError(f"scene {address} is XML of another kind than VRT ({root.tag[:40]}), which may read anything")
    found: dict[SceneAddress, None] = {}
    for element in root.iter():  # GDAL reads names in any case, and attributes as elements
        values = {key.lower(): value for key, value in element.attrib.items()}
        if not trusted and values.get("subclass", "").lower() not in _PLAIN_CLASSES:
            raise InputError(f"scene {address} is a VRT with a {values['subclass'][:40]}, which may read anything")
        names = [values.get(name) for name in _SOURCE_TAGS]
        if element.tag.lower() in _SOURCE_TAGS:
            names.append((element.text or "").strip())
        for name in filter(None, names):
            relative = values.get("relativetovrt", "0") == "1"
            if _is_plain(name, relative):
                found[SceneAddress.of(name, address if relative else None)] = None
            elif not trusted:
                raise InputError(f"scene {address} reads {name[:60]!r}, which is no plain file")
    return list(found)


def _facts(address: SceneAddress, owner: SceneAddress) -> tuple[tuple[object, ...], bytes]:
    """Ask for a file: what identifies it, and its first bytes."""
    if not address.remote:
        try:
            with address.path.open("rb") as file:
                return (address.absolute, hash_file(address.path)), file.read(HEAD_BYTES)
        except OSError as error:
            raise InputError(f"scene {owner} reads {address}, which cannot be read ({error.strerror})") from error
    found = stat(address)
    # Without a version the first bytes have to do: in a COG they say where each block lies and how long it is.
    return (address.uri, found.size, found.version or found.head), found.head


def _iter_sources(
    vrt: SceneAddress, top: SceneAddress, trusted: bool, depth: int
) -> Iterator[tuple[SceneAddress, tuple[tuple[object, ...], bytes]]]:
    for source in vrt_sources(vrt, trusted):
        if not trusted and source.origin != top.origin:
            raise InputError(
                f"scene {top} reads {source}, which is not on its server; if you trust it, add --trust-sources"
            )
        facts = _facts(source, top)
        yield source, facts
        if _is_xml(facts[1]):
            if depth >= _MAX_DEPTH:
                raise InputError(f"scene {top} is a VRT of VRTs, more than {_MAX_DEPTH} deep")
            yield from _iter_sources(source, top, trusted, depth + 1)


def _remote_sources_of_file(address: SceneAddress, depth: int = 0) -> Iterator[SceneAddress]:
    """Iterate what a VRT on the disk reads from servers; nothing where it is no VRT, which GDAL then says."""
    try:
        with address.path.open("rb") as file:
            if not _is_xml(file.read(HEAD_BYTES)):
                return
        sources = vrt_sources(address, trusted=True)
    except (OSError, InputError):
        return
    for source in sources:
        if source.remote:
            yield source
        elif depth < _MAX_DEPTH:
            yield from _remote_sources_of_file(source, depth + 1)


def _is_plain(name: str, relative: bool) -> bool:
    """Tell whether a source is named as a file is: no XML, no archive, no connection string such as `WMS:...`."""
    if name.startswith("<"):
        return False
    if name.startswith("/vsi"):
        return name.startswith(("/vsicurl/http", "/vsis3/", "/vsigs/", "/vsiaz/"))
    return relative or "://" in name or ":" not in name.partition("/")[0]


def _driver(address: SceneAddress, head: bytes) -> str:
    """Tell the driver of a remote raster by its first bytes."""
    if _is_xml(head):
        return "VRT"
    found = next((driver for sign, driver in _SIGNATURES if head.startswith(sign)), None)
    if found is None:
        raise InputError(f"scene {address} is no raster of one file; give a COG, GeoTIFF, JPEG 2000 or VRT")
    return found


def _is_xml(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
