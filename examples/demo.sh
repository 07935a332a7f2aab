#!/usr/bin/env bash
# From a GeoTIFF to places on a map. Run by `make demo`; give your own scene with `make demo SCENE=path.tif`.
set -euo pipefail
geocmer="$VENV/bin/geocmer"
store="$DEMO/store"
rm -rf "$store"
run() { # prints the command as one would type it, then runs it
  local word line='$ geocmer'
  for word in "$@"; do
    case $word in *' '*) word="\"$word\"" ;; esac
    line="$line $word"
  done
  printf '\n%s\n' "$line"
  "$geocmer" "$@"
}

if [ $# -gt 0 ]; then
  run tile "$1" --size 224 --store "$store"
else
  # Landsat-7 bands 1-5 and 7: true colour is 3,2,1. The land classes are those of the North Carolina sample set.
  run tile "$DEMO/landsat_multiband.tif" --bands 3,2,1 --size 64 --stride 32 \
    --landcover "$DEMO/strata.tif" --legend nc_landclass96 --store "$store"
fi
run info --store "$store"
box=$("$geocmer" info --store "$store" --json | "$VENV/bin/python" -c '
import json, sys
w, s, e, n = json.loads(sys.stdin.readline())["bounds"]
print((w + e) / 2, (s + n) / 2, e, n, sep=",")')
for text in "dense residential area" "a lake" "lake near dense residential area"; do
  run search "$text" -k 5 --store "$store"
done
run search "dense residential area" -k 5 --bbox="$box" --store "$store"
run search "dense residential area" -k 20 --store "$store" -o "$DEMO/hits.html"
run search "dense residential area" -k 20 --store "$store" -o "$DEMO/hits.geojson"
printf '\nOpen %s in a browser, or %s in QGIS: the hits on a map, best first.\n' "$DEMO/hits.html" "$DEMO/hits.geojson"
printf '\nLook at the scene and search it in the browser:\n  %s serve --store %s --open\n' "$geocmer" "$store"
printf '\nTo type these commands yourself:\n  source %s/bin/activate\n' "$VENV"
if [ "${SERVE:-}" = 1 ]; then
  exec "$geocmer" serve --store "$store" --open
fi
