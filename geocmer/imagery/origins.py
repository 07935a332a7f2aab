"""Which servers and buckets were named here by the user: what only a store names is not asked for anything.

A store that somebody else made says where its scenes lie. Opening them unasked would let its maker choose whom this
computer talks to. A server or bucket is known once one of its scenes was tiled on this computer.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InputError
from ..models.trust import known_names, remember_names
from .address import SceneAddress


def remember_origins(origins: Iterable[str], trusted: SceneAddress | None = None) -> None:
    """Note servers and buckets that a user named, and a scene whose sources the user trusts."""
    remember_names([f"origin {origin}" for origin in origins] + ([f"sources of {trusted}"] if trusted else []))


def unknown_origins(origins: Iterable[str]) -> list[str]:
    """Return the servers and buckets that were not named here."""
    known = known_names()
    return sorted(origin for origin in origins if f"origin {origin}" not in known)


def trusts_sources(address: SceneAddress) -> bool:
    """Tell whether a remote VRT was tiled here with `--trust-sources`."""
    return address.remote and f"sources of {address}" in known_names()


def require_known_origins(address: SceneAddress, origins: Iterable[str]) -> None:
    """Refuse a scene on a server that only a store names.

    Raises:
        InputError: no scene of that server was tiled here.
    """
    for origin in unknown_origins(origins):
        raise InputError(
            f"the store names scene {address} on {origin}, which was not used here before; if you trust it, name it "
            f"yourself, once: geocmer tile {address}"
        )
