"""Tile a scene, search it by words, write the hits for QGIS: the steps of the command line, in Python.

Run: python examples/quickstart.py scene.tif ["a lake beside a forest"]
"""

from __future__ import annotations

import sys
from pathlib import Path

from geocmer.export import write
from geocmer.geometry.bbox import BBox
from geocmer.ingest.pipeline import TileOptions, ingest
from geocmer.models.encoder import Encoder
from geocmer.search.vector_search import search
from geocmer.store import Filter, Store


def main(scene: str, text: str = "a lake beside a forest") -> None:
    encoder = Encoder.load()  # the bundled model; Encoder.load("hf-hub:ORG/MODEL") takes another
    store = Store.open_or_create("quickstart-store")

    done = ingest(scene, store, encoder, TileOptions(size=64))
    print("\n".join(done.lines()))

    answer = search(store, encoder.encode_texts([text])[0], filter=Filter(BBox(-180, -90, 180, 90)), k=5)
    for hit in answer.hits:
        print(hit.rank, f"{hit.score:.3f}", hit.category, hit.geometry.centroid.wkt)
    write(answer.hits, Path("quickstart-hits.geojson"))


if __name__ == "__main__":
    main(*sys.argv[1:])
