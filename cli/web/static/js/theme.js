// Light or dark: as the system has it until a person chooses.

import { byId } from "./dom.js";

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // storage is off
  }
}

function apply() {
  const isDark = (chosen() ?? (dark.matches ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "dark" : "light";
  byId("theme").setAttribute("aria-pressed", String(isDark));
  dispatchEvent(new Event("themechange"));
}

export function makeTheme() {
  apply();
  dark.addEventListener("change", apply);
  byId("theme").onclick = () => {
    try {
      localStorage.setItem("theme", root.dataset.theme === "dark" ? "light" : "dark");
    } catch {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    }
    apply();
  };
}
