// Conditions that every hit meets. Each change is asked for at once, and lies in the address.

import { byId, debounce, make } from "./dom.js";
import { change, FILTERS, onChange, state } from "./state.js";
import { wholeBox } from "./tools.js";

const form = byId("filters");
let labels = [];

export function makeFilters(store) {
  labels = store.labels;
  const categories = Object.entries(store.categories);
  form.append(
    field("Category", "category", make("select", {}, option("", "any"), ...categories.map(([name, n]) => option(name, `${name} (${n})`))), !categories.length),
    field("Resolution, metres", "gsd", make("input", { placeholder: "LO..HI, as 0.3..10" })),
    field("Taken from", "since", make("input", { type: "date" })),
    field("to", "until", make("input", { type: "date" })),
    landCover(),
    area(),
    between(),
    field("Least score", "min_score", make("input", { type: "number", step: "0.01" })),
    field("Least probability, 0 to 1", "min_probability", make("input", { type: "number", step: "0.05", min: 0, max: 1 })),
    field("Number of hits", "k", make("select", {}, ...[50, 100, 200, 500, 1000, 2000, 5000, 10000].map((k) => option(k === 100 ? "" : String(k), String(k))))),
    field("Where tiles overlap, keep", "keep", make("select", {}, option("", "the best hit"), option("newest", "the newest hit"), option("all", "all hits"))),
    field("But not like", "minus", make("input", { placeholder: "words, as: a beach" })),
    literal(),
    make("div", { className: "wide buttons" },
      make("button", { type: "button", textContent: "Clear filters", onclick: clear }),
      make("button", { type: "button", textContent: "Done", onclick: () => show(false) })),
  );
  form.onsubmit = (event) => event.preventDefault();
  byId("filters-toggle").onclick = () => show(form.hidden);
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") { show(false); byId("filters-toggle").focus(); } });
  onChange(fill);
  fill();
}

const option = (value, text) => make("option", { value, textContent: text });

function field(title, name, input, disabled = false) {
  input.id = `filter-${name}`;
  input.name = name;
  input.disabled = disabled;
  input.onchange = () => change({ [name]: name === "minus" ? [input.value.trim()].filter(Boolean) : input.value.trim(), hit: "" });
  return make("div", {}, make("label", { for: input.id, textContent: title }), input);
}

function literal() {
  const input = make("input", { type: "checkbox", id: "filter-literal", name: "literal", onchange: () => change({ literal: input.checked ? "1" : "", hit: "" }) });
  return make("label", { className: "check wide" }, input, "Take the words as one description, without a relation");
}

/** Two times between which something came or went. */
function between() {
  const time = (id, title) => make("input", { id, placeholder: title, "aria-label": title, onchange: write });
  const kind = make("select", { id: "change-kind", "aria-label": "Change", onchange: write }, option("", "no"), option("new", "what is new between"), option("gone", "what is gone between"));
  const before = time("change-before", "until, as 2001"), after = time("change-after", "from, as 2020");
  function write() {
    if (kind.value === "") change({ before: "", after: "", gone: "", hit: "" });
    else if (before.value.trim() && after.value.trim()) change({ before: before.value.trim(), after: after.value.trim(), gone: kind.value === "gone" ? "1" : "", since: "", until: "", hit: "" });
    times.hidden = kind.value === "";
  }
  const times = make("span", { className: "row", id: "change-times", hidden: true }, before, "and", after);
  return make("fieldset", { className: "wide" }, make("legend", { textContent: "Change between two times" }), make("div", { className: "row" }, kind, times));
}

function showChange() {
  if (state.before === "") return;
  byId("change-kind").value = state.gone === "1" ? "gone" : "new";
  byId("change-before").value = state.before;
  byId("change-after").value = state.after;
  byId("change-times").hidden = false;
}

// -- Land cover: rows of class, sign and share, joined by "and"; what is more than that is edited as text ------------

const ROW = /^(?:"([^"]+)"|([\w]+)) *(>=|<=|>|<) *([\d.]+)$/;
const quote = (label) => (/^[A-Za-z_]\w*$/.test(label) ? label : `"${label}"`);

function landCover() {
  const rows = make("div", { id: "cover-rows" });
  const text = make("input", { id: "filter-where", name: "where", placeholder: "built_up > 0.3 and not (water > 0.1)", "aria-label": "Condition on the land cover", onchange: () => change({ where: text.value.trim(), hit: "" }) });
  const add = make("button", { type: "button", textContent: "Add a class", disabled: !labels.length, onclick: () => change({ where: [state.where, `${quote(labels[0])} >= 0.3`].filter(Boolean).join(" and "), hit: "" }) });
  return make("fieldset", { className: "wide" }, make("legend", { textContent: "Share of land cover" }), rows, text, make("div", { className: "buttons row" }, add));
}

function parsed(where) {
  const parts = where ? where.split(/ +and +/) : [];
  const rows = parts.map((part) => part.match(ROW));
  return rows.every(Boolean) ? rows.map(([, quoted, plain, sign, share]) => [quoted ?? plain, sign, Number(share)]) : null;
}

function coverRows() {
  const rows = parsed(state.where);
  byId("filter-where").hidden = rows !== null && labels.length > 0;
  byId("filter-where").value = state.where;
  const write = () => change({ where: rows.map(([label, sign, share]) => `${quote(label)} ${sign} ${share}`).join(" and "), hit: "" });
  byId("cover-rows").replaceChildren(...(rows ?? []).map((row, n) => {
    const label = make("select", { "aria-label": "Class", onchange: () => { row[0] = label.value; write(); } }, ...[...new Set([row[0], ...labels])].map((name) => option(name, name)));
    const sign = make("select", { className: "sign", "aria-label": "At least or at most", onchange: () => { row[1] = sign.value; write(); } }, ...[">=", "<=", ">", "<"].map((one) => option(one, one.replace(">=", "≥").replace("<=", "≤"))));
    const share = make("input", { type: "number", min: 0, max: 100, step: 1, value: Math.round(row[2] * 100), "aria-label": "Percent", onchange: () => { row[2] = Number(share.value) / 100; write(); } });
    label.value = row[0];
    sign.value = row[1];
    const remove = make("button", { type: "button", className: "icon quiet", textContent: "✕", "aria-label": `Remove the condition on ${row[0]}`, onclick: () => { rows.splice(n, 1); write(); } });
    return make("div", { className: "row" }, label, sign, share, "%", remove);
  }));
}

// -- Area: drawn on the map, the map itself, or written ---------------------------------------------------------------

function area() {
  const text = make("input", { id: "filter-area", placeholder: "west,south,east,north or POLYGON ((lon lat, …))", "aria-label": "Area as a box or WKT" });
  text.onchange = () => {
    const value = text.value.trim();
    const isBox = /^[-+\d.,\s]*$/.test(value);
    change({ bbox: isBox ? value : "", region: isBox ? "" : value, hit: "" });
  };
  return make("fieldset", { className: "wide" }, make("legend", { textContent: "Area" }), text,
    make("div", { className: "buttons row" },
      make("button", { type: "button", textContent: "What the map shows", onclick: () => change({ bbox: wholeBox(), region: "", hit: "" }) }),
      make("button", { type: "button", textContent: "Anywhere", onclick: () => change({ bbox: "", region: "", hit: "" }) })));
}

function clear() {
  change({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), keep: "", literal: "", after: "", gone: "", minus: [], hit: "" });
  byId("change-kind").value = "";
  byId("change-times").hidden = true;
}

function show(shown) {
  form.hidden = !shown;
  byId("filters-toggle").setAttribute("aria-expanded", String(shown));
  if (shown) form.querySelector("select:enabled, input:enabled").focus();
}

const fill = debounce(() => {
  for (const input of form.querySelectorAll("[name]")) {
    if (input.type === "checkbox") input.checked = state[input.name] === "1";
    else if (input !== document.activeElement || input.tagName === "SELECT") input.value = input.name === "minus" ? (state.minus[0] ?? "") : state[input.name];
  }
  byId("filter-area").value = state.bbox || state.region;
  coverRows();
  showChange();
  const set = FILTERS.filter((name) => state[name] !== "" && !(name === "region" && state.bbox)).length;
  byId("filter-count").hidden = !set;
  byId("filter-count").textContent = set;
}, 0);
