// The scenes of the store on the map: their outlines, and their pixels as tiles, each at the scale that suits it.

import { box } from "./answer.js";
import { day } from "./words.js";
import { make } from "./dom.js";
import { map } from "./map.js";
import { change, state } from "./state.js";

const L = globalThis.L;
const MIN_SCREEN_PX = 24;
const MAX_LAYERS = 60;
const layers = new Map();
let scenes = [];
let pictures = []; // of those that were divided into tiles of several sizes, one
let outlines = null;

/** Take the scenes of the store, the newest on top. */
export function makeScenes(found) {
  scenes = found.map((scene) => ({ ...scene, box: box(scene.rings.flat()) })).sort((a, b) => (a.datetime ?? "").localeCompare(b.datetime ?? ""));
  pictures = [...new Map(scenes.map((scene) => [scene.uri, scene])).values()];
  outlines = L.layerGroup(pictures.map((scene) => {
    const shape = L.polygon(scene.rings.map((ring) => [ring.map(([x, y]) => [y, x])]), { pane: "outlines", color: "#5b7a99", weight: 1.5, fill: false, dashArray: "4 3", bubblingMouseEvents: true });
    return shape.bindTooltip(() => label(scene), { sticky: true });
  })).addTo(map);
  map.on("moveend", refresh);
  refresh();
}

const label = (scene) => make("span", { textContent: [scene.name, day(scene.datetime), `${Number(scene.gsd.toPrecision(3))} m`].filter(Boolean).join(" · ") });

/** A layer of the pixels of one scene. */
export function sceneLayer(scene, pane) {
  const [west, south, east, north] = scene.box;
  const pixel = (40075016 * Math.cos(((south + north) / 2) * (Math.PI / 180))) / 256 / scene.gsd;
  const native = Math.max(0, Math.min(21, Math.ceil(Math.log2(Math.max(pixel, 1)))));
  return L.tileLayer(`/api/scenes/${scene.id}/${map.grid}/{z}/{x}/{y}`, {
    pane, bounds: [[south, west], [north, east]], maxZoom: 21, maxNativeZoom: native, noWrap: false, updateWhenZooming: false, keepBuffer: 1,
  });
}

/** Show the pixels of the scenes in view that are more than a dot there. */
function refresh() {
  const wanted = new Set();
  if (state.imagery !== "0") {
    const view = map.getBounds();
    for (const scene of [...pictures].reverse()) {
      const [west, south, east, north] = scene.box;
      if (wanted.size >= MAX_LAYERS || !view.intersects([[south, west], [north, east]])) continue;
      const a = map.latLngToLayerPoint([north, west]), b = map.latLngToLayerPoint([south, east]);
      if (Math.max(b.x - a.x, b.y - a.y) >= MIN_SCREEN_PX) wanted.add(scene);
    }
  }
  for (const [scene, layer] of layers) if (!wanted.has(scene)) { layer.remove(); layers.delete(scene); }
  for (const scene of pictures) if (wanted.has(scene) && !layers.has(scene)) layers.set(scene, sceneLayer(scene, "scenes").setZIndex(pictures.indexOf(scene) + 1).addTo(map));
}

export const scene = (id) => scenes.find((one) => one.id === id);
export const allScenes = () => pictures;

export function showImagery(shown) {
  change({ imagery: shown ? "" : "0" }, { replace: true });
  refresh();
}

export function showOutlines(shown) {
  if (shown) outlines.addTo(map);
  else outlines.remove();
}
