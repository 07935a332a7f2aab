"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { hits, partners, bounds, low, high, polar } = read("hits");
  const scored = low !== null;
  let least = -Infinity;
  const visible = (hit) => hit.score === null || hit.score >= least;

  // -- Colours: viridis for scores, as the QGIS style has it; ten that are told apart for categories ------------------
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const SET = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#8a8f94"];
  const shade = (score) => {
    const place = high > low ? ((score - low) / (high - low)) * (VIRIDIS.length - 1) : VIRIDIS.length - 1;
    const at = Math.min(Math.max(Math.floor(place), 0), VIRIDIS.length - 2);
    const mix = VIRIDIS[at].map((c, i) => Math.round(c + (VIRIDIS[at + 1][i] - c) * Math.min(place - at, 1)));
    return `rgb(${mix.join(",")})`;
  };
  const categories = [...new Set(hits.map((hit) => hit.category ?? ""))].sort();
  const colour = (hit) =>
    scored ? (hit.score === null ? "#8a8f94" : shade(hit.score)) : SET[categories.indexOf(hit.category ?? "") % SET.length];

  // -- Text goes into the page as text, never as markup ----------------------------------------------------------------
  const make = (tag, values = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), values);
    element.append(...children);
    return element;
  };
  const label = (hit) => hit.category || `tile ${hit.row}, ${hit.col}`;
  const file = (uri) => (uri ? uri.split(/[\\/]/).pop() : "");
  const metres = (m) => (m < 1000 ? `${Math.round(m)} m` : `${(m / 1000).toFixed(m < 1e4 ? 1 : 0)} km`);
  const likely = (hit) =>
    hit.probability === null ? null : hit.probability < 0.01 ? "less than 1 %" : hit.probability > 0.99 ? "more than 99 %" : percent(hit.probability);
  const percent = (share) => `${Math.round(share * 100)} %`;
  const position = (hit) => {
    const lon = ((hit.centre[0] + 540) % 360) - 180;
    return `${Math.abs(hit.centre[1]).toFixed(4)}° ${hit.centre[1] < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(4)}° ${lon < 0 ? "W" : "E"}`;
  };

  const count = () => {
    const shown = hits.filter(visible).length;
    const of = shown < hits.length ? `${shown.toLocaleString("en")} of ` : "";
    document.getElementById("count").textContent =
      hits.length === 0 ? "Nothing was found" : `${of}${hits.length.toLocaleString("en")} ${scored ? "hit" : "tile"}${hits.length === 1 ? "" : "s"}`;
  };
  count();

  const legend = document.getElementById("legend");
  if (scored) {
    const bar = make("div", { className: "bar" });
    bar.style.background = `linear-gradient(90deg, ${VIRIDIS.map((c) => `rgb(${c})`).join(",")})`;
    legend.append(make("div", { className: "scale" }, `score ${low.toFixed(3)}`, bar, high.toFixed(3)));
    if (high > low && hits.length > 1) legend.append(leastScore());
  } else if (categories.some(Boolean)) {
    const keys = categories.map((name, i) => {
      const key = make("i");
      key.style.background = SET[i % SET.length];
      return make("span", {}, key, name || "no category");
    });
    legend.append(make("div", { className: "keys" }, ...keys));
  }

  if (hits.some((hit) => hit.partners.length)) {
    legend.append(make("div", { className: "keys" },
      make("span", {}, make("i", { className: "line" }), "from a hit to its partner"), make("span", {}, make("i", { className: "partner" }), "partner")));
  }

  /** A slider that hides the hits below a score, in the list and on the map. */
  function leastScore() {
    const output = make("output", { textContent: low.toFixed(3) });
    const slider = make("input", { type: "range", min: low, max: high, step: "any", value: low });
    slider.setAttribute("aria-label", "Least score");
    slider.oninput = () => {
      output.textContent = Number(slider.value).toFixed(3);
      least = Number(slider.value) <= low ? -Infinity : Number(slider.value);
      filter();
    };
    return make("label", { className: "scale" }, "at least", slider, output);
  }

  // -- The map. Web mercator ends at 85 degrees: hits nearer to a pole are drawn in plain degrees --------------------
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = L.map("map", {
    crs: polar ? L.CRS.EPSG4326 : L.CRS.EPSG3857, preferCanvas: true, zoomSnap: 0.5, maxZoom: 22, worldCopyJump: false,
    zoomAnimation: !calm, fadeAnimation: !calm,
  });
  map.attributionControl.setPrefix("geocmer");
  L.control.scale({ imperial: false }).addTo(map);
  for (const [name, z] of [["land", 210], ["base", 220], ["grid", 230], ["pictures", 300]]) {
    map.createPane(name).style.zIndex = z;
    if (name !== "base") map.getPane(name).style.pointerEvents = "none";
  }
  map.fitBounds(bounds ? [[bounds[1], bounds[0]], [bounds[3], bounds[2]]] : [[-60, -170], [75, 170]], { padding: [50, 50], maxZoom: 21 });

  const still = { interactive: false, pane: "land" };
  const land = L.polygon(
    read("land").flatMap((flat) => [-360, 0, 360].map((turn) => [Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i + 1], flat[2 * i] + turn])])),
    { ...still, renderer: L.canvas({ pane: "land", padding: 0.5 }), stroke: true, color: "#c3ccd2", weight: 1, fillColor: "#f3f2ed", fillOpacity: 1 },
  );
  // The coast is drawn for a map of the world (1:110 million): closer, it would be kilometres off, and says nothing.
  const coast = () => {
    const far = map.getZoom() <= 8;
    map.getContainer().classList.toggle("near", !far);
    if (far) land.addTo(map);
    else land.remove();
  };

  const grid = L.layerGroup().addTo(map);
  const lattice = () => {
    grid.clearLayers();
    const view = map.getBounds();
    const span = Math.min(view.getEast() - view.getWest(), 2 * (view.getNorth() - view.getSouth()));
    const step = [60, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001].find((s) => span / s >= 4) ?? 0.001;
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    const style = { pane: "grid", interactive: false, color: "#7f919e", weight: 0.6, opacity: 0.6, renderer: gridCanvas };
    const note = (at, text, anchor) =>
      L.marker(at, { pane: "grid", interactive: false, keyboard: false, icon: L.divIcon({ className: "degree", html: make("span", { textContent: text }), iconSize: null, iconAnchor: anchor }) }).addTo(grid);
    const south = Math.max(view.getSouth(), -90), north = Math.min(view.getNorth(), 90);
    for (let x = Math.ceil(view.getWest() / step) * step; x <= view.getEast(); x += step) {
      L.polyline([[south, x], [north, x]], style).addTo(grid);
      const lon = ((((x + 180) % 360) + 360) % 360) - 180;
      note([north, x], `${Math.abs(lon).toFixed(digits)}°${Math.abs(lon) < 1e-9 || Math.abs(lon) === 180 ? "" : lon < 0 ? "W" : "E"}`, [-2, -2]);
    }
    for (let y = Math.ceil(south / step) * step; y <= north; y += step) {
      L.polyline([[y, view.getWest()], [y, view.getEast()]], style).addTo(grid);
      note([y, view.getEast()], `${Math.abs(y).toFixed(digits)}°${Math.abs(y) < 1e-9 ? "" : y < 0 ? "S" : "N"}`, [52, 16]);
    }
  };
  const gridCanvas = L.canvas({ pane: "grid", padding: 0.1 });

  // -- Pictures at their places, turned as the tile lies ---------------------------------------------------------------
  const Picture = L.ImageOverlay.extend({
    initialize(address, corners) {
      this._corners = corners;
      L.ImageOverlay.prototype.initialize.call(this, address, L.latLngBounds(corners), { pane: "pictures", alt: "", className: "checker" });
    },
    _place(toPoint) {
      const [a, b, c] = this._corners.map(toPoint);
      Object.assign(this._image.style, { width: "100px", height: "100px", transformOrigin: "0 0" });
      this._image.style.transform = `matrix(${[b.x - a.x, b.y - a.y, c.x - a.x, c.y - a.y].map((v) => v / 100)},${a.x},${a.y})`;
    },
    _reset() { this._place((corner) => this._map.latLngToLayerPoint(corner)); },
    _animateZoom(event) { this._place((corner) => this._map._latLngToNewLayerPoint(corner, event.zoom, event.center)); },
  });
  const shown = new Map();
  const pictures = () => {
    const view = map.getBounds().pad(0.1);
    const wanted = new Set();
    for (const hit of [...hits.filter(visible), ...beside()]) {
      if (!hit.corners || wanted.size >= 400 || !view.intersects(hit.box)) continue;
      const wide = map.latLngToLayerPoint(hit.corners[0]).distanceTo(map.latLngToLayerPoint(hit.corners[1]));
      if (wide >= 12) wanted.add(hit);
    }
    for (const [hit, layer] of shown) if (!wanted.has(hit)) { layer.remove(); shown.delete(hit); }
    for (const hit of wanted) if (!shown.has(hit)) shown.set(hit, new Picture(hit.picture, hit.corners).addTo(map));
  };

  // -- Footprints: the best are drawn last, so on top ------------------------------------------------------------------
  const flip = (ring) => ring.map(([x, y]) => [y, x]);
  const partnerLines = L.layerGroup().addTo(map);
  const spots = L.layerGroup().addTo(map);
  const PAIR = { color: "#b3261e", weight: 2, interactive: false, fill: false };
  for (const partner of Object.values(partners)) {
    partner.layer = L.polygon(partner.rings.map((ring) => [flip(ring)]), { ...PAIR, dashArray: "2 4" });
    partner.box = partner.layer.getBounds();
    if (partner.corners) partner.corners = partner.corners.map(([x, y]) => L.latLng(y, x));
  }
  /** The partners of the hits that are shown. */
  const beside = () => [...new Set(hits.filter(visible).flatMap((hit) => hit.partners.map((partner) => partners[partner.id])))];
  const pairs = () => {
    partnerLines.clearLayers();
    for (const hit of hits.filter(visible)) {
      for (const { line } of hit.partners) L.polyline(line.map(flip), { ...PAIR, weight: 2.5, dashArray: "6 5" }).addTo(partnerLines);
    }
    for (const partner of beside()) partner.layer.addTo(partnerLines);
  };
  for (const hit of [...hits].reverse()) {
    hit.colour = colour(hit);
    hit.layer = L.polygon(hit.rings.map((ring) => [flip(ring)]), { color: hit.colour, weight: 2, fillColor: hit.colour, fillOpacity: hit.corners ? 0.18 : 0.45 });
    hit.box = hit.layer.getBounds();
    if (hit.corners) hit.corners = hit.corners.map(([x, y]) => L.latLng(y, x));
    // A tile that is smaller than a dot on the screen still has to be seen.
    hit.dot = L.circleMarker(hit.box.getCenter(), { radius: 5, color: "#fff", weight: 1, fillColor: hit.colour, fillOpacity: 0.95 });
    for (const layer of [hit.layer, hit.dot]) layer.on("click", () => choose(hit, false));
    for (const ring of hit.spots) {
      L.polygon(flip(ring), { color: "#d62728", weight: 2, fill: false, interactive: false }).addTo(spots);
    }
  }
  const dots = L.layerGroup(), shapes = L.layerGroup();
  const outlines = () => {
    const size = hits.length ? Math.max(...hits.slice(0, 50).map((hit) => map.latLngToLayerPoint(hit.box.getNorthWest()).distanceTo(map.latLngToLayerPoint(hit.box.getSouthEast())))) : 0;
    const [on, off] = size < 10 ? [dots, shapes] : [shapes, dots];
    off.remove();
    if (!map.hasLayer(on) || on.least !== least) {
      on.clearLayers();
      for (const hit of hits.filter(visible).reverse()) on.addLayer(on === dots ? hit.dot : hit.layer);
      on.least = least;
      on.addTo(map);
    }
  };
  const filter = () => {
    for (const hit of hits) hit.button.parentElement.hidden = !visible(hit);
    count();
    pairs();
    outlines();
    pictures();
  };

  const card = (hit) => {
    const rows = [
      ["score", hit.score === null ? null : hit.score.toFixed(4)], ["probability", likely(hit)], ["rank", scored ? hit.rank : null],
      ["taken", hit.datetime?.slice(0, 10)], ["pixel", hit.gsd ? `${Number(hit.gsd.toPrecision(3))} m` : null], ["place", position(hit)],
      ["scene", file(hit.scene)], ["window", `row ${hit.row}, column ${hit.col}, ${hit.size} px`],
      ...Object.entries(hit.fractions).sort((a, b) => b[1] - a[1]).slice(0, 4).map(([name, share]) => [name, percent(share)]),
      ...hit.partners.map((partner) => [partner.relation, `${metres(partner.distance_m)} away, score ${partner.score.toFixed(3)}`]),
      ["found at", hit.spot && position({ centre: [hit.spot.longitude, hit.spot.latitude] })], ["id", hit.id],
    ];
    const list = make("dl");
    for (const [name, value] of rows) if (value !== null && value !== undefined && value !== "") list.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
    const figure = (picture, name, words) => make("figure", {}, make("img", { src: picture, alt: `Picture of ${name}`, className: "checker" }), make("figcaption", { textContent: words }));
    const pictures = hit.picture ? [figure(hit.picture, label(hit), hit.partners.length ? "the hit" : "")] : [];
    for (const partner of hit.partners) {
      if (partners[partner.id].picture && partner.id !== hit.id) pictures.push(figure(partners[partner.id].picture, "the partner", partner.relation));
    }
    return make("div", {}, make("div", { className: "pictures" }, ...pictures), make("h2", { textContent: label(hit) }), list);
  };

  let current = null;
  let arrived = () => {};
  const choose = (hit, fly) => {
    current?.removeAttribute("aria-current");
    current = hit.button;
    current.setAttribute("aria-current", "true");
    const popup = L.popup({ maxWidth: 320, minWidth: 240, autoPanPadding: [60, 20] }).setLatLng(hit.box.getCenter()).setContent(card(hit));
    if (!fly) {
      current.scrollIntoView({ block: "nearest" });
      popup.openOn(map);
      return;
    }
    map.closePopup();
    map.off("moveend", arrived);
    arrived = () => popup.openOn(map);
    map.once("moveend", arrived);
    const pair = hit.partners.reduce((box, partner) => box.extend(partners[partner.id].box), L.latLngBounds(hit.box.getSouthWest(), hit.box.getNorthEast()));
    const zoom = Math.min(map.getBoundsZoom(pair.pad(hit.partners.length ? 0.3 : 1)), 21);
    if (calm) map.setView(pair.getCenter(), zoom, { animate: false });
    else map.flyTo(pair.getCenter(), zoom, { duration: 0.8 });
  };

  const list = document.getElementById("list");
  const entries = document.createDocumentFragment();
  for (const hit of hits) {
    const thumbnail = (picture) => make("img", { src: picture, alt: "", loading: "lazy", decoding: "async", className: "checker" });
    const picture = hit.picture ? thumbnail(hit.picture) : make("div", { className: "swatch" });
    if (hit.picture) picture.style.borderColor = hit.colour;
    else picture.style.background = hit.colour;
    const beside = hit.partners.filter((partner) => partner.id !== hit.id).slice(0, 2).map((partner) => partners[partner.id].picture).filter(Boolean);
    const near = hit.partners.map((partner) => `${partner.relation}, ${metres(partner.distance_m)}`);
    const lines = [
      make("span", { className: "name", textContent: `${hit.rank}. ${label(hit)}` }),
      make("span", { className: "more", textContent: [hit.score === null ? "" : hit.score.toFixed(3), likely(hit), ...near, hit.datetime?.slice(0, 10)].filter(Boolean).join(" · ") }),
      make("span", { className: "more", textContent: file(hit.scene), title: hit.scene ?? "" }),
    ];
    hit.button = make("button", { type: "button", onclick: () => choose(hit, true) }, make("span", { className: "pair" }, picture, ...beside.map(thumbnail)), make("span", { className: "words" }, ...lines));
    entries.append(make("li", {}, hit.button));
  }
  list.append(entries);

  // -- A basemap is asked for by a click: opening the page tells nobody where you look ---------------------------------
  if (!polar) {
    const base = L.tileLayer("https://tiles.maps.eox.at/wmts/1.0.0/s2cloudless_3857/default/g/{z}/{y}/{x}.jpg", {
      pane: "base", maxNativeZoom: 14, maxZoom: 22,
      attribution: '<a href="https://s2maps.eu">Sentinel-2 cloudless</a> by EOX IT Services GmbH (contains modified Copernicus Sentinel data 2016 &amp; 2017), CC BY 4.0',
    });
    const button = make("button", { type: "button", className: "control leaflet-bar", textContent: "Basemap", title: "Satellite picture from the internet" });
    button.setAttribute("aria-pressed", "false");
    button.onclick = () => {
      const on = !map.hasLayer(base);
      if (on) base.addTo(map);
      else base.remove();
      button.setAttribute("aria-pressed", String(on));
    };
    const Corner = L.Control.extend({ options: { position: "topright" }, onAdd: () => button });
    new Corner().addTo(map);
    L.DomEvent.disableClickPropagation(button);
  }

  const redraw = () => { coast(); lattice(); outlines(); pictures(); };
  map.on("moveend", redraw);
  pairs();
  redraw();
  document.documentElement.dataset.ready = "true";
})();
