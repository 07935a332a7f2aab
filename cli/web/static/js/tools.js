// The tools on the map: draw an area, choose what is shown, compare two dates.

import { drawBox, drawPolygon, cancel } from "./draw.js";
import { make } from "./dom.js";
import { lattice, map, showBox } from "./map.js";
import { allScenes, showImagery, showOutlines } from "./scenes.js";
import { change, onChange, state } from "./state.js";
import { day } from "./words.js";

const L = globalThis.L;
let area = null;

export function makeTools() {
  const box = tool("Box", "Draw a box to search in", (ended) => drawBox((corners) => change({ bbox: text(corners), region: "", hit: "" }), ended));
  const polygon = tool("Polygon", "Draw a polygon to search in; double click ends it", (ended) => drawPolygon((ring) => change({ region: wkt(ring), bbox: "", hit: "" }), ended));
  const all = make("button", { type: "button", textContent: "All", title: "Show all scenes", onclick: () => {
    const scenes = allScenes();
    if (scenes.length) showBox([0, 1, 2, 3].map((n) => Math[n < 2 ? "min" : "max"](...scenes.map((scene) => scene.box[n]))));
  } });
  const layers = panel();
  const toggle = make("button", { type: "button", textContent: "Layers", "aria-expanded": "false" });
  toggle.onclick = () => {
    layers.hidden = !layers.hidden;
    toggle.setAttribute("aria-expanded", String(!layers.hidden));
  };
  const corner = make("div", {}, make("div", { className: "toolbox", role: "group", "aria-label": "Map tools" }, box, polygon, all, toggle), layers);
  const Corner = L.Control.extend({ options: { position: "topleft" }, onAdd: () => corner });
  new Corner().addTo(map);
  lattice();
  L.DomEvent.disableClickPropagation(corner);
  L.DomEvent.disableScrollPropagation(corner);
  onChange((changed) => { if (changed.has("bbox") || changed.has("region")) showArea(); });
  showArea();
}

function tool(name, title, begin) {
  const button = make("button", { type: "button", textContent: name, title, "aria-pressed": "false" });
  button.onclick = () => {
    if (button.getAttribute("aria-pressed") === "true") { cancel(); return; }
    begin(() => button.setAttribute("aria-pressed", "false"));
    button.setAttribute("aria-pressed", "true");
  };
  return button;
}

const wrap = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;
const number = (value) => String(+value.toFixed(5));

function text([west, south, east, north]) {
  const whole = east - west >= 360;
  return [whole ? -180 : wrap(west), Math.max(south, -90), whole ? 180 : wrap(east), Math.min(north, 90)].map(number).join(",");
}

/** The box that the map shows. */
export function wholeBox() {
  const view = map.getBounds();
  return text([view.getWest(), view.getSouth(), view.getEast(), view.getNorth()]);
}

const wkt = (ring) => `POLYGON ((${[...ring, ring[0]].map(([x, y]) => `${number(x)} ${number(y)}`).join(", ")}))`;

/** Draw the area that is searched. */
function showArea() {
  area?.remove();
  area = null;
  const style = { color: "#d9480f", weight: 2, dashArray: "8 4", fill: false, interactive: false, pane: "outlines" };
  const numbers = state.bbox.split(",").map(Number);
  if (numbers.length === 4 && numbers.every(Number.isFinite)) {
    const [west, south, east, north] = numbers;
    area = L.rectangle([[south, west], [north, east < west ? east + 360 : east]], style).addTo(map);
    return;
  }
  const rings = [...state.region.matchAll(/\(([^()]+)\)/g)].map((found) => found[1].split(",").map((pair) => pair.trim().split(/\s+/).map(Number).reverse()));
  if (rings.length && rings.flat(2).every(Number.isFinite)) area = L.polygon(rings, style).addTo(map);
}

// -- What is shown -----------------------------------------------------------------------------------------------------

function panel() {
  const check = (title, on, call) => {
    const input = make("input", { type: "checkbox", checked: on, onchange: () => call(input.checked) });
    return make("label", { className: "check" }, input, title);
  };
  const scenes = allScenes();
  const options = () => scenes.map((scene) => make("option", { value: scene.id, textContent: [day(scene.datetime) || "no date", scene.name].join(" · ") }));
  const left = make("select", { "aria-label": "Scene on the left" }, ...options()), right = make("select", { "aria-label": "Scene on the right" }, ...options());
  if (scenes.length > 1) right.value = scenes.at(-1).id;
  const compare = make("button", { type: "button", textContent: "Compare", onclick: () => change({ swipe: `${left.value}~${right.value}` }) });
  return make("div", { className: "layers", hidden: true },
    check("Imagery", state.imagery !== "0", showImagery), check("Outlines of the scenes", true, showOutlines),
    check("Hits", true, (shown) => { for (const name of ["hits", "over"]) map.getPane(name).hidden = !shown; }),
    ...(scenes.length > 1 ? [make("h2", { textContent: "Compare two scenes" }), left, right, compare] : []));
}
