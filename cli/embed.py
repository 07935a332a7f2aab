"""`geocmer embed`."""

from __future__ import annotations

from collections.abc import Callable

from .console import progress, say
from .options import STORE, AdapterDir, Device, Model, StoreDir, encoder_of


def command() -> Callable[..., None]:
    """The function Typer makes a command of."""
    return embed


def embed(
    store: StoreDir = STORE, model: Model = None, adapter: AdapterDir = None, device: Device = "auto"
) -> None:  # fmt: skip
    """Embed the tiles of a store that have no vectors yet, or all of them again with another model.

    Pixels are read again from the scenes. The old vectors are used until the new ones are complete.

    Example: geocmer embed --model hf-hub:ORG/MODEL
    """
    from geocmer.ingest.reembed import reembed
    from geocmer.ingest.writer import encoder_info
    from geocmer.store.store import Store

    db = Store.open(store)
    encoder = encoder_of(db, model, adapter, device)
    with progress("tiles") as bar:
        count = reembed(db, encoder, bar)
    say(f"{count} tiles embedded; store {store} now answers to {encoder_info(encoder).title}")
