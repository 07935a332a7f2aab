// What the page shows, kept in its address: a reload and the back button work, and an address can be sent to oneself.

const LISTS = ["minus", "like", "more", "less"];
const TEXTS = ["q", "bbox", "region", "category", "since", "until", "gsd", "where", "min_score", "min_probability", "k", "keep", "literal", "before", "after", "gone"];
const VIEW = ["hit", "swipe", "at", "imagery"];
/** Names that ask something else of the store; the others only change how it is shown. */
export const SEARCH = [...TEXTS, ...LISTS];
export const FILTERS = ["bbox", "region", "category", "since", "until", "gsd", "where", "min_score", "min_probability", "before"];

const listeners = [];

export const state = read();

function read() {
  const given = new URLSearchParams(location.search);
  const found = {};
  for (const name of [...TEXTS, ...VIEW]) found[name] = given.get(name) ?? "";
  for (const name of LISTS) found[name] = given.getAll(name);
  return found;
}

/** The query string of the search alone, or of the whole page. */
export function query(names = SEARCH) {
  const text = new URLSearchParams();
  for (const name of names) for (const value of [state[name]].flat()) if (value !== "") text.append(name, value);
  return text.toString();
}

/** Change some of the state. `replace` leaves no step for the back button, as for a map that is moved. */
export function change(values, { replace = false } = {}) {
  const before = snapshot();
  Object.assign(state, values);
  if (snapshot() === before) return;
  const text = query([...SEARCH, ...VIEW]);
  history[replace ? "replaceState" : "pushState"](null, "", text ? `/?${text}` : "/");
  tell(before);
}

/** Call a function with the set of names that changed. */
export function onChange(listener) {
  listeners.push(listener);
}

export const hasQuestion = () => Boolean(state.q || state.like.length || state.more.length);

const snapshot = () => JSON.stringify(state);

function tell(before) {
  const old = JSON.parse(before);
  const changed = new Set(Object.keys(state).filter((name) => JSON.stringify(state[name]) !== JSON.stringify(old[name])));
  if (changed.size) for (const listener of listeners) listener(changed);
}

addEventListener("popstate", () => {
  const before = snapshot();
  Object.assign(state, read());
  tell(before);
});
