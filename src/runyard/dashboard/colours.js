/** The colour of a selected run or group: kept while it is selected, and in the URL, so that a pasted link looks the same. */
import { signal } from "@preact/signals";

/** How many colours the palette has; they are told apart by colour-blind people too (tokens.css, --c1 … --c7). */
export const COUNT = 7;

/** @type {import("@preact/signals").Signal<ReadonlyMap<string, number>>} */
export const assigned = signal(new Map());

/**
 * The number of the colour, 0 … 6.
 * @param {string} id of a run or group
 */
export function colourIndex(id) {
  const known = assigned.value.get(id);
  if (known !== undefined) return known;
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (hash * 31 + id.charCodeAt(i)) >>> 0;
  return hash % COUNT;
}

/**
 * As CSS takes it; it follows the theme by itself.
 * @param {string} id
 */
export const colourOf = (id) => `var(--c${colourIndex(id) + 1})`;

/**
 * As a canvas takes it: the value that the token has now.
 * @param {string} id
 */
export const inkOf = (id) => getComputedStyle(document.documentElement).getPropertyValue(`--c${colourIndex(id) + 1}`).trim();

/**
 * Gives each of these ids a colour; those that have one keep it, a new one gets the colour used least.
 * @param {readonly string[]} ids
 * @param {ReadonlyMap<string, number>} [wished]
 */
export function assign(ids, wished) {
  const next = new Map();
  const uses = new Array(COUNT).fill(0);
  for (const id of ids) {
    const colour = wished?.get(id) ?? assigned.peek().get(id);
    if (colour === undefined || colour >= COUNT) continue;
    next.set(id, colour);
    uses[colour]++;
  }
  for (const id of ids) {
    if (next.has(id)) continue;
    const colour = uses.indexOf(Math.min(...uses));
    next.set(id, colour);
    uses[colour]++;
  }
  assigned.value = next;
}
