// The grid of hits. Only the rows in view are in the page; the arrow keys walk through all of them.

import { answer, hover, on } from "./answer.js";
import { imageUrl } from "./api.js";
import { SHADES, step } from "./colours.js";
import { byId, make } from "./dom.js";
import { change, state } from "./state.js";
import { day, fileName, isEarlier, likely, metres, otherTime, score, tileName } from "./words.js";

const MIN_CARD_PX = 124;
const WORDS_PX = 43;
const grid = byId("grid");
const list = make("ul", { "aria-label": "Hits" });
const shown = new Map();
let columns = 1, width = MIN_CARD_PX, height = MIN_CARD_PX;
let current = 0;
let severalDates = false;

export function makeResults(store) {
  severalDates = new Set(store.scenes.map((scene) => day(scene.datetime))).size > 1;
  grid.append(list);
  grid.addEventListener("scroll", draw, { passive: true });
  new ResizeObserver(() => { measure(); draw(); }).observe(grid);
  grid.addEventListener("keydown", walk);
  on("answer", () => { current = 0; clear(); measure(); grid.scrollTop = 0; draw(); });
  on("hits", () => { measure(); draw(); });
  on("hover", (hit) => shown.forEach((item, at) => item.firstChild.classList.toggle("hover", answer.hits[at] === hit)));
}

function clear() {
  shown.forEach((item) => item.remove());
  shown.clear();
}

function measure() {
  const inner = list.clientWidth;
  const before = `${columns} ${width}`;
  const pictures = 1 + Math.max(0, ...answer.hits.slice(0, 20).map((hit) => hit.partners.length));
  const least = MIN_CARD_PX * [1, 1.5, 2][Math.min(pictures, 3) - 1];
  columns = Math.max(1, Math.floor(inner / least));
  width = inner / columns;
  height = (width - 8) / Math.min(pictures, 3) + WORDS_PX + 8;
  list.style.height = `${Math.ceil(answer.hits.length / columns) * height}px`;
  if (before !== `${columns} ${width}`) clear();
}

function draw() {
  const first = Math.max(0, Math.floor(grid.scrollTop / height) - 1) * columns;
  const last = Math.min(answer.hits.length, (Math.ceil((grid.scrollTop + grid.clientHeight) / height) + 1) * columns);
  for (const [at, item] of shown) if (at < first || at >= last) { item.remove(); shown.delete(at); }
  const focused = list.contains(document.activeElement);
  for (let at = first; at < last; at++) if (!shown.has(at)) place(at);
  if (focused && !list.contains(document.activeElement)) shown.get(current)?.firstChild.focus({ preventScroll: true });
}

/** Put a card into the list, before the next one that is there, so that Tab and a screen reader meet them in order. */
function place(at) {
  const item = make("li", { "aria-setsize": answer.count, "aria-posinset": at + 1 }, card(answer.hits[at], at));
  Object.assign(item.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${(at % columns) * width}px, ${Math.floor(at / columns) * height}px)` });
  const next = [...shown.keys()].filter((other) => other > at).sort((a, b) => a - b)[0];
  list.insertBefore(item, shown.get(next) ?? null);
  shown.set(at, item);
}

function card(hit, at) {
  const near = hit.partners.map((partner) => (otherTime(partner) ? `${day(hit.datetime)}, ${partner.relation}` : `${partner.relation}, ${metres(partner.distance_m)}`));
  const short = hit.partners.map((partner) => otherTime(partner)?.differs ?? (otherTime(partner) ? "" : `${partner.distance_m ? metres(partner.distance_m) : "touching"} · ${partner.relation}`)).filter(Boolean);
  const frames = [frame(hit.id, hit.thumbnail, severalDates ? day(hit.datetime) : ""), ...hit.partners.slice(0, 2).map((partner) => frame(partner.id, true, otherTime(partner)?.day))];
  if (hit.partners.some(isEarlier)) frames.reverse(); // the times from left to right
  const dot = make("i", { className: "dot", style: { background: SHADES[step(hit.score, answer.low, answer.high)] } });
  const words = make("span", { className: "words" },
    make("span", { className: "line first" }, make("span", { className: "score" }, dot, `${hit.rank}. ${score(hit.score)}`), hit.probability === null ? null : make("b", { className: "likely", textContent: likely(hit.probability), title: "Probability that the tile shows it" })),
    make("span", { className: "line soft", textContent: short.join(", ") || hit.category || fileName(hit.scene) }));
  const label = [`${hit.rank}. ${tileName(hit)}`, `score ${score(hit.score)}`, hit.probability === null ? "" : `probability ${likely(hit.probability)}`, ...near, day(hit.datetime)].filter(Boolean).join(", ");
  const button = make("button", { type: "button", className: "card", "aria-label": label, tabIndex: at === current ? 0 : -1, title: label },
    make("span", { className: "pictures" }, ...frames), words);
  if (state.hit === hit.id) button.setAttribute("aria-current", "true");
  button.onclick = () => choose(at);
  button.onmouseenter = button.onfocus = () => hover(hit);
  button.onmouseleave = button.onblur = () => hover(null);
  return button;
}

function frame(tile, there, tag = "") {
  const image = there ? make("img", { src: imageUrl(tile), alt: "", loading: "lazy", decoding: "async" }) : null;
  return make("span", { className: "frame checker" }, image, tag ? make("span", { className: "tag", textContent: tag }) : null);
}

function choose(at) {
  current = at;
  change({ hit: answer.hits[at].id });
}

/** Mark the hit that is looked at, and bring it into view. */
export function mark() {
  const at = answer.hits.findIndex((hit) => hit.id === state.hit);
  if (at >= 0) {
    current = at;
    reveal(at);
  }
  shown.forEach((item, place) => {
    if (answer.hits[place]?.id === state.hit) item.firstChild.setAttribute("aria-current", "true");
    else item.firstChild.removeAttribute("aria-current");
    item.firstChild.tabIndex = place === current ? 0 : -1;
  });
}

function reveal(at) {
  const top = Math.floor(at / columns) * height;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + height > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + height - grid.clientHeight;
  draw();
}

function walk(event) {
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -current, End: answer.hits.length - 1 - current };
  const move = moves[event.key];
  if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const next = current + move;
  if (next < 0 || next >= answer.hits.length) return;
  const old = shown.get(current)?.firstChild;
  if (old) old.tabIndex = -1;
  current = next;
  reveal(next);
  const button = shown.get(next).firstChild;
  button.tabIndex = 0;
  button.focus({ preventScroll: true });
}
