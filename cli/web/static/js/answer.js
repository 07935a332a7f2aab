// The answer to the search in the address: its hits arrive a page at a time, and one or two may be looked at.

import { ask } from "./api.js";
import { hasQuestion, query } from "./state.js";

const listeners = { begin: [], answer: [], hits: [], fail: [], hover: [] };
export const answer = { key: null, count: 0, hits: [], byId: new Map(), low: null, high: null, relations: false };
let running = null;
let asked = null;

export const on = (event, listener) => listeners[event].push(listener);
const tell = (event, ...values) => listeners[event].forEach((listener) => listener(...values));

function add(hits) {
  for (const hit of hits) {
    hit.box = box(hit.rings.flat());
    hit.centre = [(hit.box[0] + hit.box[2]) / 2, (hit.box[1] + hit.box[3]) / 2];
    answer.byId.set(hit.id, hit);
    answer.hits.push(hit);
  }
}

export function box(points) {
  const found = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    found[0] = Math.min(found[0], x);
    found[1] = Math.min(found[1], y);
    found[2] = Math.max(found[2], x);
    found[3] = Math.max(found[3], y);
  }
  return found;
}

/** Ask the search that the address holds. */
export async function search() {
  const text = query();
  if (text === asked) return;
  asked = text;
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  if (!hasQuestion()) {
    Object.assign(answer, { key: null, count: 0, hits: [], byId: new Map(), low: null, high: null });
    tell("answer", null);
    return;
  }
  tell("begin");
  try {
    const found = await ask(`/api/search?${text}`, { signal });
    Object.assign(answer, { key: found.key, count: found.count, hits: [], byId: new Map(), low: found.low, high: found.high });
    add(found.hits);
    answer.relations = answer.hits.some((hit) => hit.partners.length);
    tell("answer", found);
    while (answer.hits.length < found.count) {
      const more = await ask(`/api/answers/${found.key}/hits/${answer.hits.length}`, { signal });
      add(more.hits);
      tell("hits");
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    asked = null;
    tell("fail", error.message);
  }
}

export const fail = (message) => tell("fail", message);

/** Tell everybody which hit the pointer or the keyboard is at, or null. */
let hovered = null;
export function hover(hit) {
  if (hit === hovered) return;
  hovered = hit;
  tell("hover", hit);
}
