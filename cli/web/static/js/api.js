// Requests. What the server says went wrong is thrown as an error with its one line.

export async function ask(path, { signal, method = "GET", body } = {}) {
  let response;
  try {
    response = await fetch(path, { signal, method, body, headers: { "x-geocmer": "1" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is `geocmer serve` still running?");
  }
  if (response.ok) return response.json();
  const text = await response.text();
  let line = text || `${response.status} ${response.statusText}`;
  try {
    line = JSON.parse(text).error ?? line;
  } catch {
    // not JSON: the text itself
  }
  throw new Error(line);
}

const GIVEN = "image-";
export const isGiven = (key) => key.startsWith(GIVEN);
/** The address of a picture: of a tile, or one that the person gave. */
export const imageUrl = (tile, kind = "thumbnail") => (isGiven(tile) ? `/api/images/${tile}` : `/api/tiles/${tile}/${kind}`);
