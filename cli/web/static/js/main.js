// The page, put together: the state in the address is asked for, shown, and changed by its parts.

import { answer, on, search } from "./answer.js";
import { ask } from "./api.js";
import { byId } from "./dom.js";
import { makeDetail, showDetail } from "./detail.js";
import { makeFilters } from "./filters.js";
import { addHits, makeMap, outline } from "./map.js";
import { makeResults, mark } from "./results.js";
import { makeScenes } from "./scenes.js";
import { makeSearchBox } from "./search_box.js";
import { onChange, SEARCH, state } from "./state.js";
import { makeSummary } from "./summary.js";
import { makeSwipe, showSwipe } from "./swipe.js";
import { makeTheme } from "./theme.js";
import { makeTools } from "./tools.js";

const chosen = () => answer.byId.get(state.hit) ?? null;

async function start() {
  makeTheme();
  const store = await ask("/api/store");
  makeMap(store);
  makeScenes(store.scenes);
  makeTools();
  makeFilters(store);
  makeSearchBox(store);
  makeSummary(store);
  makeResults(store);
  makeDetail();
  makeSwipe();
  onChange((changed) => {
    if (SEARCH.some((name) => changed.has(name))) search();
    if (changed.has("hit")) look();
    if (changed.has("swipe")) showSwipe();
  });
  let seen = 0;
  on("answer", () => { seen = answer.hits.length; look(); });
  on("hits", () => { addHits(seen); seen = answer.hits.length; });
  on("hover", (hit) => outline(hit, chosen()));
  showSwipe();
  await search();
  document.documentElement.dataset.ready = "true";
}

function look() {
  mark();
  showDetail();
  outline(null, chosen());
}

start().catch((error) => {
  const status = byId("status");
  status.className = "failed";
  status.textContent = error.message;
  console.error(error);
});
