/** Addresses of the API. */

export const BASE = "/api/v1";
const LONGEST_KEYS = 20_000;

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [params]
 */
export function url(path, params = {}) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  const text = search.toString();
  return BASE + path + (text ? `?${text}` : "");
}

export const part = encodeURIComponent;

/** @param {readonly string[] | undefined} keys */
export const list = (keys) => keys?.map((key) => key.replaceAll(",", "\\,")).join(",");

/**
 * Keys as an address takes them: a server reads addresses up to some 64 kB, and names may be of any length.
 * @param {readonly string[] | undefined} keys
 */
export function fitting(keys) {
  let room = LONGEST_KEYS;
  return list(keys?.filter((key) => part(key).length + 3 <= room && (room -= part(key).length + 3)));
}

/** @param {import("./types.js").RunsAsked} asked */
export const runsAddress = (asked) => url("/runs", { ...asked, count: asked.count === false ? "false" : null, metrics: fitting(asked.metrics), config: fitting(asked.config) });

/** @param {readonly string[]} runs */
export const metricsAddress = (runs) => url("/metrics", { runs: list(runs) });

/** @param {string} project @param {string} [query] @param {boolean} [isWhole] */
export const columnsAddress = (project, query, isWhole) => url("/columns", { project, query, whole: isWhole ? "true" : null });
