/** Metrics by the first part of their names, in the order in which people look for them. */

const ORDER = ["train", "val", "valid", "eval", "test", ""];

/**
 * The metrics of a section are in the order of `keys`: to sort those that nobody sees would take long where there are many.
 * @param {readonly string[]} keys
 * @param {readonly string[]} pinned come first, in this order
 * @returns {{name: string, metrics: string[], isPinned: boolean}[]}
 */
export function sectionsOf(keys, pinned) {
  /** @type {Map<string, string[]>} */
  const sections = new Map();
  const onTop = new Set(pinned);
  for (const key of keys) {
    if (onTop.has(key)) continue;
    const slash = key.indexOf("/");
    const name = slash < 0 ? "" : key.slice(0, slash);
    const metrics = sections.get(name);
    if (metrics) metrics.push(key);
    else sections.set(name, [key]);
  }
  const found = [...sections].sort(([a], [b]) => rank(a) - rank(b) || compare(a, b)).map(([name, metrics]) => ({ name: name || "metrics", metrics, isPinned: false }));
  const known = new Set(keys);
  const top = pinned.filter((key) => known.has(key));
  return top.length ? [{ name: "pinned", metrics: top, isPinned: true }, ...found] : found;
}

/** As people count: layer2 before layer10. @param {readonly string[]} metrics */
export const inOrder = (metrics) => [...metrics].sort(compare);

/** @param {string} name */
function rank(name) {
  if (name === "sys") return ORDER.length + 1;
  const place = ORDER.indexOf(name);
  return place < 0 ? ORDER.length : place;
}

const { compare } = new Intl.Collator("en", { numeric: true });
