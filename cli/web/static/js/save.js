// Saving the answer in any format that the library exports.

import { answer } from "./answer.js";
import { byId, make } from "./dom.js";
import { plural } from "./words.js";

const dialog = byId("save-dialog");

export function makeSave(formats) {
  const choice = make("select", { id: "save-format" }, ...formats.map((one) => make("option", { value: one.suffix, textContent: `${one.suffix}: ${one.name}` })));
  choice.value = ".geojson";
  const goodFor = make("p", { className: "soft small" });
  const thumbnails = make("input", { type: "checkbox", id: "save-thumbnails" });
  const style = make("input", { type: "checkbox", id: "save-style" });
  const link = make("a", { className: "button primary", textContent: "Save" });
  const title = make("h2", { id: "save-title" });
  const update = () => {
    const format = formats.find((one) => one.suffix === choice.value);
    goodFor.textContent = `Good for: ${format.for}`;
    style.disabled = !format.styled;
    if (style.disabled) style.checked = false;
    const flags = [thumbnails.checked ? "thumbnails=1" : "", style.checked ? "style=1" : ""].filter(Boolean).join("&");
    link.href = `/api/answers/${answer.key}/file/${encodeURIComponent(choice.value)}${flags ? `?${flags}` : ""}`;
    title.textContent = `Save ${plural(answer.count, "hit")}`;
  };
  choice.onchange = thumbnails.onchange = style.onchange = update;
  link.onclick = () => setTimeout(() => dialog.close(), 0);
  dialog.append(title,
    make("form", { method: "dialog", className: "save" },
      make("label", { for: "save-format", textContent: "Format" }), choice, goodFor,
      make("label", { className: "check" }, thumbnails, "with pictures"),
      make("label", { className: "check" }, style, "with a QGIS style"),
      make("div", { className: "buttons" }, link, make("button", { type: "submit", textContent: "Cancel" }))));
  byId("save").onclick = () => {
    update();
    dialog.showModal();
  };
}
