"""`geocmer embed`."""

from __future__ import annotations

from .console import progress, say
from .options import STORE, AdapterDir, Device, Model, StoreDir, Views, open_collection


def embed(
    store: StoreDir = STORE, model: Model = None, adapter: AdapterDir = None, views: Views = None,
    device: Device = "auto",
) -> None:  # fmt: skip
    """Embed the tiles of a store that have no vectors yet, or all of them again with another model.

    Pixels are read again from the scenes. The old vectors are used until the new ones are complete.

    Example: geocmer embed --model hf-hub:ORG/MODEL

    Example: geocmer embed --views 2
    """
    collection = open_collection(store, model=model, adapter=adapter, views=views, device=device)
    with progress("tiles") as bar:
        count = collection.embed(progress=bar)
    say(f"{count} tiles embedded; store {store} now answers to {collection.info()['model']}")
