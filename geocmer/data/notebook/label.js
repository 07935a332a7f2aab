// A grid of tiles to be marked: yes, no, or nothing. The marks are the model's `labels`; "Search again" sends a message.

const MARKS = { yes: true, no: false };
const NAMES = { yes: "shows it", no: "does not", "": "not marked" };

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

function markOf(labels, id) {
  return id in labels ? (labels[id] ? "yes" : "no") : "";
}

function drawTile(model, tile) {
  const about = [tile.score === null ? "" : tile.score.toFixed(3), tile.category].filter(Boolean).join(" · ");
  const mark = markOf(model.get("labels"), tile.id);
  const button = element("button", { type: "button", className: "tile", title: tile.id });
  button.dataset.id = tile.id;
  button.dataset.mark = mark;
  button.setAttribute("aria-label", `tile ${tile.rank}, ${about}: ${NAMES[mark]}`);
  if (tile.picture) button.append(element("img", { src: tile.picture, alt: "" }));
  button.append(element("span", { className: "about" }, `${tile.rank} ${about}`));
  const set = (next) => {
    const labels = { ...model.get("labels") };
    if (next === "") delete labels[tile.id];
    else labels[tile.id] = MARKS[next];
    model.set("labels", labels);
    model.save_changes();
  };
  button.addEventListener("click", () => set({ "": "yes", yes: "no", no: "" }[markOf(model.get("labels"), tile.id)]));
  button.addEventListener("keydown", (event) => {
    const next = { y: "yes", n: "no", Backspace: "", Delete: "" }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has keys of its own
    set(next);
  });
  return button;
}

function render({ model, el }) {
  const title = element("strong");
  const counts = element("span", { className: "counts" });
  counts.setAttribute("role", "status");
  const again = element("button", { type: "button", className: "again" }, "Search again");
  again.addEventListener("click", () => model.send({ type: "search" }));
  const note = element("div", { className: "note" });
  note.setAttribute("role", "status");
  const grid = element("div", { className: "grid" });
  el.classList.add("geocmer-label");
  el.append(element("div", { className: "head" }, title, counts, again), note, grid);

  const draw = () => {
    const focused = grid.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const labels = Object.values(model.get("labels"));
    const yes = labels.filter(Boolean).length;
    title.textContent = model.get("title");
    counts.textContent = `${yes} yes, ${labels.length - yes} no`;
    note.textContent = model.get("note");
    again.disabled = model.get("busy") || labels.length === 0;
    grid.replaceChildren(...model.get("tiles").map((tile) => drawTile(model, tile)));
    if (focused) grid.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  };
  const names = ["tiles", "labels", "title", "note", "busy"].map((name) => `change:${name}`);
  for (const name of names) model.on(name, draw);
  draw();
  return () => names.forEach((name) => model.off(name, draw));
}

export default { render };
