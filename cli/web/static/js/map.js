// The map: coasts, lattice, the hits, the relations between them. Drawn without a network.

import { answer, box, hover, on } from "./answer.js";
import { step } from "./colours.js";
import { make, debounce } from "./dom.js";
import { Footprints } from "./footprints.js";
import { change, state } from "./state.js";
import { otherTime } from "./words.js";

const L = globalThis.L;
const MAX_MERCATOR_LATITUDE = 85;
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export let map = null;
let footprints, over, pairs, pairPen;
const partners = new Set();

/** Make the map around the scenes of the store. */
export function makeMap(store) {
  const points = store.scenes.flatMap((scene) => scene.rings.flat());
  const bounds = points.length ? box(points) : null;
  const polar = bounds !== null && Math.max(-bounds[1], bounds[3]) > MAX_MERCATOR_LATITUDE;
  map = L.map("map", {
    crs: polar ? L.CRS.EPSG4326 : L.CRS.EPSG3857, preferCanvas: true, zoomSnap: 0.5, maxZoom: 21, zoomControl: false,
    zoomAnimation: !calm, fadeAnimation: !calm, worldCopyJump: false,
  });
  map.grid = polar ? "degrees" : "mercator";
  map.attributionControl.setPrefix("geocmer");
  L.control.zoom({ position: "bottomright" }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  for (const [name, z] of [["land", 210], ["grid", 230], ["scenes", 250], ["before", 260], ["after", 270], ["outlines", 380], ["hits", 400], ["over", 420]]) {
    map.createPane(name).style.zIndex = z;
    if (name !== "outlines") map.getPane(name).style.pointerEvents = "none";
  }
  const at = state.at.split("/").map(Number);
  if (at.length === 3 && at.every(Number.isFinite)) map.setView([at[1], at[2]], at[0], { animate: false });
  else if (bounds) showBox(bounds, false);
  else map.fitBounds([[-60, -170], [75, 170]]);
  lattice();
  map.on("moveend", lattice);
  map.on("moveend", debounce(() => {
    const { lat, lng } = map.getCenter();
    change({ at: `${+map.getZoom().toFixed(1)}/${lat.toFixed(5)}/${lng.toFixed(5)}` }, { replace: true });
  }, 300));
  coasts();
  footprints = new Footprints({ pane: "hits", filled: true }).addTo(map);
  over = L.layerGroup().addTo(map);
  pairs = L.layerGroup().addTo(map);
  watch();
}

/** Let the map fill its place again, which the panel of a tile takes a part of; a hit and its partners are kept in view. */
export function fitView(hit = null) {
  map.invalidateSize({ pan: false });
  if (!hit) return;
  const [west, south, east, north] = box([hit, ...hit.partners].flatMap((one) => one.rings.flat()));
  const bounds = L.latLngBounds([south, west], [north, east]);
  if (map.getBounds().contains(bounds)) return;
  if (map.getBoundsZoom(bounds) < map.getZoom()) map.fitBounds(bounds, { animate: false });
  else for (const corner of [bounds.getNorthWest(), bounds.getSouthEast()]) map.panInside(corner, { padding: [24, 24], animate: false });
}

/** Bring a box [west, south, east, north] into view. */
export function showBox([west, south, east, north], animate = true, maxZoom = 17) {
  map.fitBounds([[south, west], [north, east]], { padding: [40, 40], maxZoom, animate: animate && !calm });
}

/** Show the hits of an answer, and go there if they lie elsewhere. */
export function showHits() {
  pairs.clearLayers();
  partners.clear();
  over.clearLayers();
  drawPairs(answer.hits);
  footprints.show(answer.hits, (hit) => step(hit.score, answer.low, answer.high));
  if (!answer.hits.length) return;
  const all = box(answer.hits.flatMap((hit) => [hit.box.slice(0, 2), hit.box.slice(2)]));
  const view = map.getBounds();
  const seen = answer.hits.filter((hit) => view.contains([hit.centre[1], hit.centre[0]])).length;
  const wide = view.getEast() - view.getWest();
  if (seen < answer.hits.length / 2 || wide > 12 * (all[2] - all[0])) showBox(all);
}

export function addHits(from) {
  const more = answer.hits.slice(from);
  drawPairs(more);
  footprints.add(more);
}

/** Lines from hits to their partners, and the outline of each partner, once for all its hits. */
function drawPairs(hits) {
  const style = { color: colour("pair"), renderer: pairPen ??= L.canvas({ pane: "hits", padding: 0.3 }), pane: "hits", interactive: false, fill: false };
  for (const hit of hits) {
    for (const partner of hit.partners) {
      if (otherTime(partner)) continue; // the same ground
      for (const line of partner.lines) L.polyline(line.map(flip), { ...style, weight: 1.5, opacity: 0.8, dashArray: "6 4" }).addTo(pairs);
      if (partners.has(partner.id)) continue;
      partners.add(partner.id);
      for (const ring of partner.rings) L.polygon(ring.map(flip), { ...style, weight: 1.5, dashArray: "2 3" }).addTo(pairs);
    }
  }
}

const flip = ([lon, lat]) => [lat, lon];

/** Outline the hit at the pointer, and the one that is looked at. */
export function outline(hovered, chosen) {
  over.clearLayers();
  for (const hit of new Set([hovered, chosen])) {
    for (const { rings, lines } of (hit?.partners ?? []).filter((partner) => !otherTime(partner))) {
      for (const line of lines) L.polyline(line.map(flip), { pane: "over", color: "#fff", weight: 6, opacity: 0.9, interactive: false }).addTo(over);
      for (const line of lines) L.polyline(line.map(flip), { pane: "over", color: colour("pair"), weight: 3, interactive: false }).addTo(over);
      for (const ring of rings) L.polygon(ring.map(flip), { pane: "over", color: colour("pair"), weight: 3, fill: false, interactive: false }).addTo(over);
    }
  }
  for (const [hit, weight] of [[chosen, 4], [hovered, 3]]) {
    for (const ring of hit?.rings ?? []) {
      L.polygon(ring.map(flip), { pane: "over", color: "#fff", weight: weight + 3, opacity: 0.9, fill: false, interactive: false }).addTo(over);
      L.polygon(ring.map(flip), { pane: "over", color: colour("accent"), weight, fill: false, interactive: false }).addTo(over);
    }
    if (hit && map.latLngToLayerPoint([hit.box[3], hit.box[0]]).distanceTo(map.latLngToLayerPoint([hit.box[1], hit.box[2]])) < 12) {
      L.circleMarker(flip(hit.centre), { pane: "over", radius: 9, color: colour("accent"), weight: 3, fill: false, interactive: false }).addTo(over);
    }
  }
}

function watch() {
  let frame = 0;
  map.on("mousemove", (event) => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (map.drawing) return;
      const hit = footprints.find(event.latlng);
      map.getContainer().style.cursor = hit ? "pointer" : "";
      hover(hit);
    });
  });
  map.on("mouseout", () => hover(null));
  map.on("click", (event) => {
    if (map.drawing) return;
    const hit = footprints.find(event.latlng);
    if (hit) change({ hit: hit.id });
  });
  on("answer", showHits);
}

/** The coast is drawn for a map of the world (1:110 million): closer, it would be kilometres off, and says nothing. */
async function coasts() {
  const rings = await (await fetch("/map/land.json")).json();
  const turned = rings.flatMap((flat) => [-360, 0, 360].map((turn) => [Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i + 1], flat[2 * i] + turn])]));
  const land = L.polygon(turned, { interactive: false, pane: "land", renderer: L.canvas({ pane: "land", padding: 0.5 }), weight: 1, fillOpacity: 1 });
  const paint = () => land.setStyle({ color: colour("coast"), fillColor: colour("land") });
  const place = () => {
    const far = map.getZoom() <= 8;
    map.getContainer().classList.toggle("near", !far);
    if (far) land.addTo(map);
    else land.remove();
  };
  paint();
  place();
  map.on("zoomend", place);
  addEventListener("themechange", paint);
}

const LABEL_PX = [54, 16];
const lines = L.layerGroup();
let pen = null;

/** Meridians and parallels, with their degrees along the edge, where no button covers them. */
export function lattice() {
  pen ??= L.canvas({ pane: "grid", padding: 0.1 });
  lines.clearLayers().addTo(map);
  const view = map.getBounds();
  const span = Math.min(view.getEast() - view.getWest(), 2 * (view.getNorth() - view.getSouth()));
  const spacing = [60, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001].find((s) => span / s >= 4) ?? 0.001;
  const digits = Math.max(0, Math.ceil(-Math.log10(spacing)));
  const style = { pane: "grid", renderer: pen, interactive: false, color: colour("grid"), weight: 0.6, opacity: 0.6 };
  const note = (at, text, anchor) => {
    const { x, y } = map.latLngToContainerPoint(at);
    if (free(x - anchor[0], y - anchor[1])) L.marker(at, { pane: "grid", interactive: false, keyboard: false, icon: L.divIcon({ className: "degree", html: make("span", { textContent: text }), iconSize: null, iconAnchor: anchor }) }).addTo(lines);
  };
  const south = Math.max(view.getSouth(), -90), north = Math.min(view.getNorth(), 90);
  const frame = map.getContainer().getBoundingClientRect();
  const taken = [...map.getContainer().querySelectorAll(".leaflet-control")].map((control) => control.getBoundingClientRect());
  const free = (x, y) => !taken.some((box) => x + LABEL_PX[0] > box.left - frame.left && x < box.right - frame.left && y + LABEL_PX[1] > box.top - frame.top && y < box.bottom - frame.top);
  for (let x = Math.ceil(view.getWest() / spacing) * spacing; x <= view.getEast(); x += spacing) {
    L.polyline([[south, x], [north, x]], style).addTo(lines);
    const lon = ((((x + 180) % 360) + 360) % 360) - 180;
    note([north, x], `${Math.abs(lon).toFixed(digits)}°${Math.abs(lon) < 1e-9 || Math.abs(lon) === 180 ? "" : lon < 0 ? "W" : "E"}`, [-2, -2]);
  }
  for (let y = Math.ceil(south / spacing) * spacing; y <= north; y += spacing) {
    L.polyline([[y, view.getWest()], [y, view.getEast()]], style).addTo(lines);
    if (map.latLngToContainerPoint([y, view.getWest()]).y > 3 * LABEL_PX[1]) note([y, view.getWest()], `${Math.abs(y).toFixed(digits)}°${Math.abs(y) < 1e-9 ? "" : y < 0 ? "S" : "N"}`, [-2, 16]);
  }
}
