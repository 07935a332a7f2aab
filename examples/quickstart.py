"""Tile a scene, search it by words, save the hits for QGIS. Run: python examples/quickstart.py scene.tif."""

import sys

import geocmer

if len(sys.argv) != 2:
    sys.exit("name one scene: python examples/quickstart.py scene.tif")
tiles = geocmer.open("quickstart-store")
print("\n".join(tiles.add(sys.argv[1], size=64).lines()))
hits = tiles.search("a lake beside a forest", bbox=(-180, -90, 180, 90), k=5)
for hit in hits:
    print(hit.rank, f"{hit.score:.3f}", hit.category, hit.geometry.centroid.wkt)
hits.save("quickstart-hits.geojson")
