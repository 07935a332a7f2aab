"""STAC documents -> scenes: items, collections and catalogs with their items, and the pages of a search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .acquisition import parse_time
from .address import SceneAddress
from .scene_source import ItemRecord, SceneSource, cloud_percent

if TYPE_CHECKING:
    from pystac import Asset, Item

MAX_DOCUMENTS = 1_000_000
"""Pages and catalogs of one name; more are a circle."""
_IMAGE_TYPES = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff", "application/vnd.gdal.vrt")
_RASTER_SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt")


def scenes_of_stac(
    address: SceneAddress, document: dict[str, Any], asset: str | None = None, trusted: bool = False
) -> Iterator[SceneSource]:
    """Find the scenes of a STAC document.

    Args:
        address: of the document; what it names is relative to it.
        document: an item, a collection or catalog, or an ItemCollection, whose further pages are read.
        asset: its key; by default `visual`, else the asset with that role, else the only raster.
        trusted: let a document from a server name files of this computer.

    Raises:
        InputError: it is none of these, an item lacks the asset, or a linked document cannot be read.
    """
    from .scene_list import parse_json

    seen: set[SceneAddress] = set()
    left = [(address, document)]
    while left:
        here, found = left.pop()
        seen.add(here)
        if len(seen) > MAX_DOCUMENTS:
            raise InputError(f"{address} leads to more than {MAX_DOCUMENTS:,} documents")
        kind = found.get("type")
        if kind == "Feature" and "stac_version" in found:
            yield scene_of_item(found, here, asset, trusted)
            continue
        if kind == "FeatureCollection":
            for item in found.get("features") or ():
                yield scene_of_item(item, here, asset, trusted)
            rels: tuple[str, ...] = ("next",)
        elif kind in ("Collection", "Catalog"):
            items = [link for link in _links(found, ("items",)) if "items" in str(link["href"]).split("?")[0]]
            rels = ("items",) if items else ("item", "child")
        else:
            raise InputError(f"{here} is not a STAC item, collection or search result (type {str(kind)[:40]!r})")
        for link in reversed(_links(found, rels)):
            if str(link.get("method", "GET")).upper() != "GET":
                raise InputError(
                    f"{here} has further pages that are asked for by POST; save them all, or search by GET"
                )
            target = SceneAddress.of(str(link["href"]), here)
            if here.remote and not target.remote and not trusted:
                raise InputError(f"{here} links to the file {target}; if you trust it, add --trust-sources")
            if target not in seen:
                left.append((target, parse_json(target)))


def scene_of_item(document: Any, address: SceneAddress, asset: str | None, trusted: bool) -> SceneSource:
    """Take the scene of a STAC item: its asset, its time and its cloud cover.

    Raises:
        InputError: it is no valid item, or has no such asset.
    """
    import pystac

    try:
        item = pystac.Item.from_dict(document, preserve_dict=False)  # reads older versions of STAC too
    except (pystac.STACError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{address} holds what is no STAC item ({str(error)[:80]})") from error
    chosen = _choose_asset(item, asset)
    own = next((link.get_href(transform_href=False) for link in item.links if link.rel == "self"), None)
    base = SceneAddress.of(own, address) if own and "://" in str(own) and address.remote else address
    place = SceneAddress.of(chosen.href, base)
    if address.remote and not place.remote and not trusted:
        raise InputError(f"item {item.id} of {address} names the file {place}; if you trust it, add --trust-sources")
    times = item.properties
    time = parse_time(str(times.get("datetime") or times.get("start_datetime") or ""))
    named = f"the STAC item {item.id}" + (f" of {item.collection_id}" if item.collection_id else "")
    return SceneSource(place, ItemRecord(named, cloud_percent(times.get("eo:cloud_cover"))), time)


def _choose_asset(item: Item, key: str | None) -> Asset:
    assets = item.assets
    if key is not None:
        if key not in assets:
            names = ", ".join(list(assets)[:12]) or "none"
            raise InputError(f"STAC item {item.id} has no asset {key!r}; give --asset one of: {names}")
        return assets[key]
    if "visual" in assets:
        return assets["visual"]
    rasters = {name: asset for name, asset in assets.items() if _is_raster(asset)}
    for role in ("visual", "data"):
        of_role = [name for name, asset in rasters.items() if role in (asset.roles or ())]
        if len(of_role) == 1:
            return assets[of_role[0]]
    if len(rasters) == 1:
        return next(iter(rasters.values()))
    names = ", ".join(list(rasters or assets)[:12]) or "none"
    raise InputError(f"STAC item {item.id} has no asset `visual`; choose one with --asset: {names}")


def _is_raster(asset: Asset) -> bool:
    """Tell whether an asset is a picture of the ground, as far as it says: no thumbnail, no metadata."""
    if {"thumbnail", "overview", "metadata"} & set(asset.roles or ()):
        return False
    kind = (asset.media_type or "").lower()
    return kind.startswith(_IMAGE_TYPES) or (not kind and asset.href.split("?")[0].lower().endswith(_RASTER_SUFFIXES))


def _links(document: dict[str, Any], rels: tuple[str, ...]) -> list[dict[str, Any]]:
    links = document.get("links") or ()
    return [link for link in links if isinstance(link, dict) and link.get("rel") in rels and link.get("href")]
