// Numbers, places and dates in words.

export const count = (n) => n.toLocaleString("en");
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const percent = (share) => `${Math.round(share * 100)} %`;
/** A probability: never 0 or 100 %, which nobody can know. */
export const likely = (p) => (p === null || p === undefined ? "" : p < 0.01 ? "<1 %" : p > 0.99 ? ">99 %" : percent(p));
export const metres = (m) => (m < 1000 ? `${Math.round(m)} m` : `${(m / 1000).toFixed(m < 1e4 ? 1 : 0)} km`);
export const day = (datetime) => datetime?.slice(0, 10) ?? "";
export const fileName = (uri) => (uri ? uri.split(/[\\/]/).pop() : "");
export const tileName = (hit) => hit.category || `tile ${hit.row}, ${hit.col}`;
/** Of a pair of two times: the day of the other picture, and what else differs; null for a relation between places. */
export const otherTime = (partner) => partner.relation.match(/^(?:earlier|later), (?<day>[^,]+)(?:, (?<differs>.*))?$/)?.groups ?? null;
export const isEarlier = (partner) => partner.relation.startsWith("earlier, ");
export const score = (value) => (value === null || value === undefined ? "" : value.toFixed(3));

export function position([lon, lat]) {
  const turned = ((((lon + 180) % 360) + 360) % 360) - 180;
  return `${Math.abs(lat).toFixed(4)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(turned).toFixed(4)}° ${turned < 0 ? "W" : "E"}`;
}

const WINDS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];
export const wind = (bearing) => WINDS[Math.round(bearing / 45) % 8];
