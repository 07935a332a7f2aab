// The box for words, with suggestions while one types, and what refines the question: chips that can be taken away.

import { answer, fail, on } from "./answer.js";
import { ask, isGiven, imageUrl } from "./api.js";
import { byId, make } from "./dom.js";
import { change, onChange, state } from "./state.js";

let concepts = [], relations = [];

export function makeSearchBox(store) {
  concepts = [...new Set([...Object.keys(store.categories), ...store.labels])];
  relations = store.relations;
  const input = byId("q");
  input.value = state.q;
  byId("search").onsubmit = (event) => {
    event.preventDefault();
    change({ q: input.value.trim(), hit: "" });
  };
  input.oninput = suggest;
  takePictures();
  onChange((changed) => {
    if (changed.has("q")) input.value = state.q;
    refinements();
  });
  on("answer", refinements);
  refinements();
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    input.select();
  });
}

/** Offer concepts of the store, and relations after a word. */
function suggest() {
  const text = byId("q").value;
  const last = text.match(/\S*$/)[0].toLowerCase();
  const start = text.slice(0, text.length - last.length);
  const afterRelation = relations.some((name) => start.trim().toLowerCase().endsWith(name));
  const words = !start.trim() || afterRelation ? concepts : relations;
  const found = words.filter((word) => word.toLowerCase().startsWith(last)).slice(0, 8);
  byId("suggestions").replaceChildren(...found.map((word) => make("option", { value: start + word })));
}

const KINDS = [["like", "like"], ["more", "more like"], ["less", "less like"], ["minus", "not"]];

function refinements() {
  const chips = KINDS.flatMap(([name, said]) => state[name].map((value) => chip(name, said, value)));
  const box = byId("refinements");
  box.hidden = !chips.length;
  if (chips.length > 1) chips.push(make("button", { type: "button", className: "quiet", textContent: "Clear all", onclick: () => change({ like: [], more: [], less: [], minus: [], hit: "" }) }));
  box.replaceChildren(...chips);
}

function chip(name, said, value) {
  const words = isGiven(value) ? `${said} this picture` : name === "minus" ? `${said} ${value}` : `${said} ${answer.byId.get(value)?.category ?? value.slice(0, 6)}`;
  const image = name === "minus" ? null : make("img", { src: imageUrl(value), alt: "" });
  const remove = make("button", {
    type: "button", textContent: "✕", "aria-label": `Remove: ${words}`,
    onclick: () => change({ [name]: state[name].filter((other) => other !== value) }),
  });
  return make("span", { className: "chip" }, image, make("span", { textContent: words }), remove);
}

/** Look for what a picture shows, which is chosen or dropped on the page. */
function takePictures() {
  const file = byId("picture");
  byId("picture-button").onclick = () => file.click();
  file.onchange = () => { give(file.files[0]); file.value = ""; };
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    give(event.dataTransfer.files[0]);
  });
}

async function give(file) {
  if (!file) return;
  try {
    const { key } = await ask(`/api/images?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    change({ like: [key], hit: "" });
  } catch (error) {
    fail(error.message);
  }
}

/** Add a tile to what is meant, or to what is not. */
export function refine(name, tile) {
  const other = { more: "less", less: "more" }[name];
  if (name === "like") change({ q: "", like: [tile], more: [], less: [], minus: [] });
  else change({ [name]: [...new Set([...state[name], tile])], [other]: state[other].filter((one) => one !== tile) });
}
