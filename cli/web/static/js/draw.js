// Drawing a box or a polygon on the map. Escape ends it.

import { map } from "./map.js";

const L = globalThis.L;
let stop = null;

export function cancel() {
  stop?.();
  stop = null;
}

function begin(done) {
  cancel();
  map.drawing = true;
  map.getContainer().classList.add("drawing");
  map.dragging.disable();
  map.doubleClickZoom.disable();
  const escape = (event) => { if (event.key === "Escape") cancel(); };
  addEventListener("keydown", escape);
  const sketch = L.layerGroup().addTo(map);
  stop = () => {
    removeEventListener("keydown", escape);
    sketch.remove();
    map.getContainer().classList.remove("drawing");
    map.dragging.enable();
    setTimeout(() => { map.doubleClickZoom.enable(); map.drawing = false; }, 50); // the click that ends it is not for a hit
    done?.();
  };
  return sketch;
}

/** Let a person drag a box; `found` gets [west, south, east, north], `ended` is called in any case. */
export function drawBox(found, ended) {
  const pane = map.getContainer();
  const sketch = begin(() => {
    pane.removeEventListener("pointerdown", down, true);
    ended();
  });
  let from = null, shape = null;
  const at = (event) => map.mouseEventToLatLng(event);
  const move = (event) => {
    shape ??= L.rectangle([from, from], { color: "#d9480f", weight: 2, fillOpacity: 0.08, interactive: false }).addTo(sketch);
    shape.setBounds([from, at(event)]);
  };
  const up = (event) => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    const box = L.latLngBounds(from, at(event));
    cancel();
    if (box.getEast() > box.getWest() && box.getNorth() > box.getSouth()) found([box.getWest(), box.getSouth(), box.getEast(), box.getNorth()]);
  };
  const down = (event) => {
    if (event.target.closest(".leaflet-control")) return;
    event.preventDefault();
    event.stopPropagation();
    from = at(event);
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
  };
  pane.addEventListener("pointerdown", down, true);
}

/** Let a person click the corners of a polygon, and end it with a double click, Enter or a click on the first one. */
export function drawPolygon(found, ended) {
  const corners = [];
  const finish = () => {
    const ring = corners.map(({ lng, lat }) => [lng, lat]);
    cancel();
    if (ring.length >= 3) found(ring);
  };
  const enter = (event) => { if (event.key === "Enter") finish(); };
  const sketch = begin(() => {
    map.off("click", click);
    map.off("dblclick", finish);
    map.off("mousemove", move);
    removeEventListener("keydown", enter);
    ended();
  });
  const style = { color: "#d9480f", weight: 2, interactive: false };
  const shape = L.polygon([], { ...style, fillOpacity: 0.08 }).addTo(sketch);
  const move = (event) => shape.setLatLngs([...corners, event.latlng]);
  const click = (event) => {
    const first = corners[0] && map.latLngToContainerPoint(corners[0]);
    if (corners.length >= 3 && first.distanceTo(event.containerPoint) < 12) { finish(); return; }
    const last = corners.at(-1) && map.latLngToContainerPoint(corners.at(-1));
    if (last && last.distanceTo(event.containerPoint) < 3) return; // the second half of a double click
    corners.push(event.latlng);
    L.circleMarker(event.latlng, { ...style, radius: 4, fillOpacity: 1 }).addTo(sketch);
    shape.setLatLngs(corners);
  };
  map.on("click", click);
  map.on("dblclick", finish);
  map.on("mousemove", move);
  addEventListener("keydown", enter);
}
