// Two scenes over each other, divided by an edge that the pointer or the arrow keys move.

import { byId, make } from "./dom.js";
import { map } from "./map.js";
import { scene, sceneLayer } from "./scenes.js";
import { change, state } from "./state.js";
import { day, fileName } from "./words.js";

const host = byId("swipe");
let layers = [];
let edge, slider, from, to;

export function makeSwipe() {
  slider = make("input", { type: "range", className: "slider", min: 0, max: 100, step: 1, value: 50, "aria-label": "Where the two dates meet", oninput: place });
  from = make("span", { className: "date left" });
  to = make("span", { className: "date right" });
  const grip = make("button", { type: "button", className: "grip", textContent: "⇔", tabIndex: -1, "aria-hidden": "true" });
  grip.onpointerdown = (event) => {
    grip.setPointerCapture(event.pointerId);
    grip.onpointermove = (move) => {
      const { left, width } = host.getBoundingClientRect();
      slider.value = ((move.clientX - left) / width) * 100;
      place();
    };
  };
  grip.onpointerup = () => { grip.onpointermove = null; };
  edge = make("div", { className: "edge" }, from, to, grip);
  const end = make("button", { type: "button", className: "end", textContent: "End comparing", onclick: () => change({ swipe: "" }) });
  host.append(edge, slider, end);
  map.on("move zoom zoomend moveend resize", place);
}

/** Begin or end what the address says. */
export function showSwipe() {
  for (const layer of layers) layer.remove();
  layers = [];
  const found = state.swipe.split("~").map(scene);
  const shown = state.swipe !== "" && found.length === 2 && found.every(Boolean);
  host.hidden = !shown;
  map.getPane("scenes").hidden = shown;
  if (!shown) return;
  layers = [sceneLayer(found[0], "before").addTo(map), sceneLayer(found[1], "after").addTo(map)];
  from.textContent = day(found[0].datetime) || fileName(found[0].uri);
  to.textContent = day(found[1].datetime) || fileName(found[1].uri);
  place();
}

function place() {
  if (host.hidden) return;
  const size = map.getSize();
  const x = (size.x * slider.value) / 100;
  edge.style.left = `${x}px`;
  const corner = map.containerPointToLayerPoint([0, 0]);
  const box = (left, right) => `polygon(${[[left, 0], [right, 0], [right, size.y], [left, size.y]].map(([a, b]) => `${a + corner.x}px ${b + corner.y}px`).join(",")})`;
  map.getPane("before").style.clipPath = box(0, x);
  map.getPane("after").style.clipPath = box(x, size.x);
  slider.setAttribute("aria-valuetext", `${slider.value} % of the map show ${from.textContent}, the rest ${to.textContent}`);
}
