// What was found, in a line; how it was found; the command line that finds the same; and what to ask first.

import { answer, on } from "./answer.js";
import { RAMP } from "./colours.js";
import { byId, draw, make } from "./dom.js";
import { makeSave } from "./save.js";
import { change, state } from "./state.js";
import { count, day, likely, otherTime, plural, score } from "./words.js";

let store = null;

export function makeSummary(found) {
  store = found;
  makeSave(store.formats);
  on("begin", () => {
    say("Searching …");
    byId("side").setAttribute("aria-busy", "true");
  });
  on("answer", show);
  on("fail", (message) => {
    say(message, true);
    byId("actions").hidden = true;
    byId("side").removeAttribute("aria-busy");
  });
  byId("command-toggle").onclick = () => {
    const box = byId("command");
    box.hidden = !box.hidden;
    byId("command-toggle").setAttribute("aria-expanded", String(!box.hidden));
  };
}

function say(text, failed = false) {
  const status = byId("status");
  status.className = failed ? "failed" : "";
  status.replaceChildren(text);
}

function show(found) {
  byId("side").removeAttribute("aria-busy");
  byId("intro").hidden = found !== null;
  byId("actions").hidden = found === null;
  byId("save").hidden = !found?.count;
  byId("legend").hidden = !found?.count && state.min_score === "" && state.min_probability === "";
  byId("notes").hidden = true;
  document.title = found ? `${found.title || "tiles like these"} · geocmer` : "geocmer";
  if (found === null) {
    byId("command").hidden = true;
    say("");
    intro();
    return;
  }
  say(found.count ? plural(found.count, "hit") : "No tile matches; widen the area or the filters");
  if (found.hidden) {
    const all = make("button", { type: "button", className: "link", textContent: `${count(found.hidden)} overlapping`, title: "Tiles that show the place of a better hit are left out: show them too", onclick: () => change({ keep: "all" }) });
    byId("status").append(make("span", { className: "soft", textContent: " · " }), all);
  }
  byId("notes").replaceChildren(...found.notes.map(note));
  byId("notes").hidden = !found.notes.length;
  command(found.command, found.plan);
  legend();
}

/** A note of the library; where it names an option, the page has a button for it. */
function note(text) {
  const [said, option] = text.split(" (--literal takes ");
  if (option === undefined) return make("li", { textContent: text });
  return make("li", {}, `${said} · `, make("button", { type: "button", className: "link", textContent: "take it as one description", title: "Look for no relation in the words", onclick: () => change({ literal: "1", hit: "" }) }));
}

function command(line, plan) {
  const parts = line.split(/(?<= )(?=--?[a-z])/).map((part) => make("span", { textContent: part })); // an option keeps its line
  const copy = make("button", { type: "button", textContent: "Copy" });
  copy.onclick = async () => {
    await navigator.clipboard.writeText(line);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  byId("command").replaceChildren(make("pre", { tabIndex: 0, "aria-label": "Command line that gives the same answer", role: "region" }, ...parts), copy,
    make("p", { className: "soft small", textContent: `Found by: ${plan.join("; ")}` }));
}

function legend() {
  if (answer.low === null) {
    byId("legend").replaceChildren(...(byId("legend").hidden ? [] : [least()]));
    return;
  }
  const bar = make("i", { style: { background: RAMP } });
  const parts = [make("div", { className: "scale" }, `score ${score(answer.low)}`, bar, score(answer.high))];
  if (answer.relations && !otherTime(answer.hits.find((hit) => hit.partners.length).partners[0])) {
    const line = (dash) => draw("svg", { width: 30, height: 8, "aria-hidden": "true" }, draw("line", { x1: 0, y1: 4, x2: 30, y2: 4, stroke: "var(--pair)", "stroke-width": 2, "stroke-dasharray": dash }));
    parts.push(make("div", { className: "lines" }, make("span", {}, line("6 4"), "from a hit to its partner"), make("span", {}, line("2 3"), "the partner")));
  }
  byId("legend").replaceChildren(parts[0], least(), ...parts.slice(1));
}

/** A slider for the least probability, or for the least score where hits have none; it ranges as far as all hits do. */
function least() {
  const known = (answer.hits[0]?.probability ?? null) !== null;
  const name = known || state.min_probability !== "" ? "min_probability" : "min_score";
  const [title, said] = name === "min_score" ? ["Least score", score] : ["Least probability", likely];
  const set = state[name] === "" ? null : Number(state[name]);
  const low = name === "min_probability" ? 0 : set === null ? answer.low : Math.min(set, answer.relations ? 0 : -0.2);
  const high = name === "min_probability" ? 1 : Math.max(answer.high ?? -Infinity, set ?? -Infinity, low);
  const word = (value) => (value <= low ? "any" : said(value));
  const output = make("output", { textContent: word(set ?? low) });
  const slider = make("input", { type: "range", min: low, max: high, step: "any", value: set ?? low, "aria-label": title });
  slider.oninput = () => { output.textContent = word(Number(slider.value)); };
  slider.onchange = () => change({ [name]: Number(slider.value) <= low ? "" : Number(slider.value).toFixed(3), hit: "" });
  return make("label", { className: "least" }, name === "min_score" ? "score at least" : "probability at least", slider, output);
}

/** What the store holds, and questions that it can answer. */
function intro() {
  const names = Object.keys(store.categories);
  const examples = names.length > 1 ? [names[0], names[1], `${names[1]} near ${names[0]}`, `${names[0]} not near ${names[1]}`] : ["forest", "a winding river", "dense residential area", "residential area near river"];
  const ask = (text) => make("button", { type: "button", textContent: text, onclick: () => change({ q: text }) });
  const days = store.scenes.map((scene) => day(scene.datetime)).filter(Boolean).sort();
  const facts = [
    ["store", store.store], ["tiles", count(store.tiles)],
    ["scenes", plural(store.scenes.length, "scene")], ["taken", days.length ? [...new Set([days[0], days.at(-1)])].join(" to ") : "not known"],
    ["categories", names.join(", ") || "none; tile with --landcover"], ["model", store.model ?? "none yet; run `geocmer embed`"],
    ...(store.as_of ? [["version", store.as_of]] : []),
  ];
  byId("intro").replaceChildren(
    make("div", {}, make("h2", { textContent: "Find places in your imagery by words" }),
      make("p", { className: "soft", textContent: "Describe what a place looks like, or how two kinds of places lie to each other. Draw a box on the map to look only there." })),
    make("div", { className: "examples" }, ...examples.map(ask)),
    make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })])),
  );
}
