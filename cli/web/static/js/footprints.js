// A layer that draws the footprints of all hits on one canvas: ten thousand in a few milliseconds, and finds the one at
// a point. A tile that is smaller than a dot on the screen is drawn as a dot, as it still has to be seen.

import { STEPS, SHADES } from "./colours.js";

const L = globalThis.L;
const DOT = 7;

export const Footprints = L.Renderer.extend({
  _layers: {},

  initialize(options) {
    L.Renderer.prototype.initialize.call(this, { padding: 0.3, ...options });
    this._shapes = [];
  },

  /** Show hits, the best first; `shade` gives the step of a hit's colour. */
  show(hits, shade) {
    this._hits = hits;
    this._shade = shade;
    this._shapes = [];
    this.add(hits);
  },

  /** Show more hits, after those that are shown. */
  add(hits) {
    if (!this._map) return;
    for (const hit of hits) this._shapes.push(this._shape(hit, this._shade(hit)));
    this._redraw();
  },

  clear() {
    this.show([], () => 0);
  },

  /** The best hit at a point of the map, or null. */
  find(latlng) {
    const scale = this._map.options.crs.scale(this._map.getZoom());
    const { x, y } = this._world(latlng.lng, latlng.lat);
    const near = DOT / scale;
    for (const shape of this._shapes) {
      const [west, north, east, south] = shape.box;
      const small = Math.max(east - west, south - north) * scale < DOT;
      const pad = small ? near : 0;
      if (x < west - pad || x > east + pad || y < north - pad || y > south + pad) continue;
      if (small || shape.rings.some((ring) => inside(ring, x, y))) return shape.hit;
    }
    return null;
  },

  /** A place in the plane of the map at scale 1. */
  _world(lon, lat) {
    const { crs } = this._map.options;
    return crs.transformation.transform(crs.projection.project(L.latLng(lat, lon)), 1);
  },

  _shape(hit, shade) {
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    const rings = hit.rings.map((ring) => {
      const flat = new Float64Array(2 * ring.length);
      ring.forEach(([lon, lat], n) => {
        const { x, y } = this._world(lon, lat);
        flat[2 * n] = x;
        flat[2 * n + 1] = y;
        box[0] = Math.min(box[0], x);
        box[1] = Math.min(box[1], y);
        box[2] = Math.max(box[2], x);
        box[3] = Math.max(box[3], y);
      });
      return flat;
    });
    return { hit, rings, box, shade };
  },

  _initContainer() {
    this._container = document.createElement("canvas");
    this._container.setAttribute("aria-hidden", "true");
    this._pen = this._container.getContext("2d");
  },

  _destroyContainer() {
    this._container.remove();
    delete this._container;
  },

  _update() {
    if (this._map._animatingZoom && this._bounds) return;
    L.Renderer.prototype._update.call(this);
    this._redraw();
  },

  _updatePaths() {},

  _redraw() {
    if (!this._map || !this._bounds) return;
    const size = this._bounds.getSize(), ratio = devicePixelRatio || 1;
    const canvas = this._container, pen = this._pen;
    L.DomUtil.setPosition(canvas, this._bounds.min);
    canvas.width = ratio * size.x;
    canvas.height = ratio * size.y;
    Object.assign(canvas.style, { width: `${size.x}px`, height: `${size.y}px` });
    const scale = this._map.options.crs.scale(this._map.getZoom());
    const corner = this._map.getPixelOrigin().add(this._bounds.min);
    const x0 = corner.x / scale, y0 = corner.y / scale, x1 = x0 + size.x / scale, y1 = y0 + size.y / scale;
    const places = Array.from({ length: STEPS }, () => []);
    for (const shape of this._shapes) {
      const [west, north, east, south] = shape.box;
      if (east >= x0 && west <= x1 && south >= y0 && north <= y1) places[shape.shade].push(shape);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    places.forEach((shapes, shade) => this._fill(pen, shapes, SHADES[shade], scale, x0, y0));
  },

  /** Draw all shapes of one colour at once. */
  _fill(pen, shapes, colour, scale, x0, y0) {
    if (!shapes.length) return;
    const areas = new Path2D(), dots = new Path2D();
    for (const { rings, box } of shapes) {
      if (Math.max(box[2] - box[0], box[3] - box[1]) * scale < DOT) {
        const x = ((box[0] + box[2]) / 2 - x0) * scale, y = ((box[1] + box[3]) / 2 - y0) * scale;
        dots.rect(x - DOT / 2, y - DOT / 2, DOT, DOT);
        continue;
      }
      for (const ring of rings) {
        areas.moveTo((ring[0] - x0) * scale, (ring[1] - y0) * scale);
        for (let n = 2; n < ring.length; n += 2) areas.lineTo((ring[n] - x0) * scale, (ring[n + 1] - y0) * scale);
        areas.closePath();
      }
    }
    pen.fillStyle = pen.strokeStyle = colour;
    pen.globalAlpha = this.options.filled ? 0.1 : 0;
    pen.fill(areas);
    pen.globalAlpha = 0.6; // a light edge, as the dark end of the colours is lost on dark ground
    pen.strokeStyle = "#fff";
    pen.lineWidth = 3.5;
    pen.stroke(areas);
    pen.stroke(dots);
    pen.globalAlpha = 1;
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.stroke(areas);
    pen.fill(dots);
  },
});

/** Whether a point lies in a ring, by the crossings of a ray to the right. */
function inside(ring, x, y) {
  let within = false;
  for (let n = 0, last = ring.length - 2; n < ring.length; last = n, n += 2) {
    const [ax, ay, bx, by] = [ring[n], ring[n + 1], ring[last], ring[last + 1]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}
