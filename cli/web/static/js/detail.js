// One tile: its picture at full resolution, where in it the question is answered, its classes, facts, partners and other dates.

import { answer } from "./answer.js";
import { ask, imageUrl } from "./api.js";
import { byId, make } from "./dom.js";
import { fitView, showBox } from "./map.js";
import { refine } from "./search_box.js";
import { change, state } from "./state.js";
import { day, fileName, isEarlier, likely, metres, otherTime, percent, position, score, tileName, wind } from "./words.js";

const panel = byId("detail");
let shown = null;
let opener = null;

export function makeDetail() {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden && !event.target.closest("dialog, #filters")) change({ hit: "" });
  });
}

/** Show the tile that the address names. */
export function showDetail() {
  const hit = answer.byId.get(state.hit);
  if (hit === shown) return;
  shown = hit ?? null;
  if (!hit) {
    const inside = panel.contains(document.activeElement);
    panel.hidden = true;
    panel.replaceChildren();
    fitView();
    if (inside) opener?.focus?.();
    return;
  }
  if (!panel.contains(document.activeElement)) opener = document.activeElement;
  panel.hidden = false;
  panel.scrollTop = 0;
  fitView(hit);
  const close = make("button", { type: "button", className: "icon quiet", textContent: "✕", "aria-label": "Close the tile", onclick: () => change({ hit: "" }) });
  const maps = [];
  panel.replaceChildren(
    make("header", {}, make("h2", { textContent: `${hit.rank}. ${tileName(hit)}` }), step(hit, -1, "‹", "Previous hit"), step(hit, 1, "›", "Next hit"), close),
    make("div", { className: "body" }, image(hit, maps), choices(hit), ...partners(hit, maps), ...classes(hit), facts(hit), dates(hit)),
  );
}

function step(hit, by, sign, title) {
  const next = answer.hits[hit.rank - 1 + by];
  return make("button", { type: "button", className: "icon quiet", textContent: sign, "aria-label": title, disabled: !next, onclick: () => {
    change({ hit: next.id });
    panel.querySelector(`[aria-label="${title}"]`)?.focus();
  } });
}

/** The tile, clear where it holds no data, and over it what each place is worth for the question. */
function image(hit, maps) {
  const whole = make("img", { src: imageUrl(hit.id, "image"), alt: `Tile ${hit.rank}: ${tileName(hit)}` });
  const box = make("div", { className: `tile checker${hit.size < 160 ? " sharp" : ""}` }, whole);
  const note = make("p", { className: "soft small", hidden: true });
  whole.onerror = () => {
    whole.onerror = null;
    whole.src = imageUrl(hit.id);
    say(hit, "image", note);
  };
  const strength = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Strength of the heat map", hidden: true });
  const toggle = make("button", { type: "button", textContent: "Where in the tile", "aria-pressed": "false" });
  maps.push(heatMap(hit.id, box));
  strength.oninput = () => maps.forEach((one) => one.strength(strength.value / 100));
  toggle.onclick = async () => {
    const on = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(on));
    strength.hidden = !on;
    toggle.setAttribute("aria-busy", "true");
    try {
      await Promise.all(maps.map((one) => one.show(on)));
    } catch {
      say(hit, `spot/${answer.key}`, note);
    }
    toggle.removeAttribute("aria-busy");
  };
  return make("div", {}, box, make("div", { className: "under" }, toggle, strength), note);
}

/** What each place of a tile is worth for the question, over its picture; read when it is first shown. */
function heatMap(tile, frame) {
  let overlay = null;
  return {
    async show(on) {
      if (on && !overlay) {
        overlay = make("img", { src: imageUrl(tile, `spot/${answer.key}`), alt: "Heat map: where in the tile the question is answered", style: { opacity: 0.5 } });
        frame.append(overlay);
        await overlay.decode().catch((error) => { overlay.remove(); overlay = null; throw error; });
      }
      if (overlay) overlay.hidden = !on;
    },
    strength: (share) => { if (overlay) overlay.style.opacity = share; },
  };
}

/** Say why a picture cannot be shown. */
async function say(hit, kind, note) {
  try {
    await ask(imageUrl(hit.id, kind));
  } catch (error) {
    note.textContent = error.message;
    note.hidden = false;
  }
}

function choices(hit) {
  const button = (text, onclick, className = "") => make("button", { type: "button", textContent: text, onclick, className });
  return make("div", { className: "choices" },
    button("More like this", () => refine("more", hit.id)), button("Less like this", () => refine("less", hit.id)),
    button("Only like this", () => refine("like", hit.id)), button("Go there", () => showBox(pad(hit.box))));
}

const pad = ([west, south, east, north]) => [west - (east - west), south - (north - south), east + (east - west), north + (north - south)];

/** For a relation, both tiles with how they lie to each other; for a change, both times, each with its heat map. */
function partners(hit, maps) {
  return hit.partners.map((partner) => {
    const other = otherTime(partner);
    const how = other ? other.differs && `the two pictures: ${other.differs}` : partner.bearing === null ? "the same tile" : [partner.distance_m ? `${metres(partner.distance_m)} apart` : "touching", `hit is ${wind(partner.bearing)}`].join(", ");
    const figure = (tile, words) => {
      const frame = make("div", { className: "tile checker" }, make("img", { src: imageUrl(tile, other ? "image" : undefined), alt: "" }));
      if (other) maps.push(heatMap(tile, frame));
      return make("figure", {}, frame, make("figcaption", { textContent: words }));
    };
    const mine = other ? day(hit.datetime) : "the hit";
    const its = other ? `${other.day}, ${likely(partner.score)}` : `partner, score ${score(partner.score)}`;
    const pair = [figure(hit.id, mine), figure(partner.id, its)];
    if (isEarlier(partner)) pair.reverse(); // the times from left to right
    return make("section", {}, make("h3", { textContent: other ? "Both times" : partner.relation }), make("div", { className: "pair" }, ...pair),
      how ? make("p", { className: "soft small", textContent: how }) : null);
  });
}

function classes(hit) {
  const shares = Object.entries(hit.fractions).filter(([, share]) => share >= 0.005).sort((a, b) => b[1] - a[1]);
  if (!shares.length) return [];
  return [make("section", {}, make("h3", { textContent: "Land cover" }), make("div", { className: "bars" }, ...shares.flatMap(([name, share]) => [
    make("span", { textContent: name }),
    make("span", { className: "track" }, make("i", { style: { width: `${Math.max(1, share * 100)}%` } })),
    make("span", { className: "numbers", textContent: percent(share) }),
  ])))];
}

function facts(hit) {
  const rows = [
    ["score", score(hit.score)], ["probability", likely(hit.probability)], ["rank", `${hit.rank} of ${answer.count}`], ["category", hit.category],
    ["taken", hit.datetime?.replace("T", " ").replace("Z", " UTC")], ["place", position(hit.centre)], ["pixel", `${Number(hit.gsd.toPrecision(3))} m`],
    ["window", `row ${hit.row}, column ${hit.col}, ${hit.size} px`], ["usable", hit.valid_share < 1 ? percent(hit.valid_share) : null],
    ["scene", fileName(hit.scene)], ["says", hit.captions[0]], ["id", hit.id],
  ];
  return make("section", {}, make("h3", { textContent: "Facts" }), make("dl", { className: "facts" },
    ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })])));
}

/** The same place in other scenes, oldest first; any of them is compared with this one on the map. */
function dates(hit) {
  const section = make("section", { hidden: true }, make("h3", { textContent: "The same place at other dates" }));
  ask(imageUrl(hit.id, "dates")).then(({ tiles }) => {
    if (shown !== hit || tiles.length < 2) return;
    section.append(make("ol", { className: "strip" }, ...tiles.map((tile) => {
      const mine = tile.scene_id === hit.scene_id;
      const [before, after] = (tile.datetime ?? "") < (hit.datetime ?? "") ? [tile, hit] : [hit, tile];
      const compare = make("button", { type: "button", textContent: "Compare", onclick: () => {
        showBox(pad(hit.box));
        change({ swipe: `${before.scene_id}~${after.scene_id}` });
      } });
      const figure = make("figure", {}, make("img", { src: imageUrl(tile.id), alt: "", loading: "lazy" }), make("figcaption", { textContent: day(tile.datetime) || "no date" }), mine ? null : compare);
      if (mine) figure.setAttribute("aria-current", "true");
      return make("li", {}, figure);
    })));
    section.hidden = false;
  }, () => {}); // no vectors, or the store is gone: the other parts say so
  return section;
}
