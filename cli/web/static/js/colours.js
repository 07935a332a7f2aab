// Colours of scores: viridis, as the QGIS style and the map page have it.

const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
export const GREY = "#8a8f94";
export const RAMP = `linear-gradient(90deg, ${VIRIDIS.map((c) => `rgb(${c})`).join(",")})`;
export const STEPS = 48;

/** The step of a score between the least and the greatest, 0 to STEPS - 1. */
export function step(score, low, high) {
  if (score === null) return 0;
  return high > low ? Math.round(((score - low) / (high - low)) * (STEPS - 1)) : STEPS - 1;
}

export const SHADES = Array.from({ length: STEPS }, (_, i) => {
  const place = (i / (STEPS - 1)) * (VIRIDIS.length - 1);
  const at = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const mix = VIRIDIS[at].map((c, n) => Math.round(c + (VIRIDIS[at + 1][n] - c) * (place - at)));
  return `rgb(${mix.join(",")})`;
});
