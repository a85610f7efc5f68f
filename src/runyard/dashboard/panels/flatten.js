/**
 * A config by dotted keys. Lists stay whole, as in the query language; an empty section is a value.
 * @param {unknown} config
 * @param {string} [prefix]
 * @param {Map<string, unknown>} [into]
 * @returns {Map<string, unknown>}
 */
export function flatten(config, prefix = "", into = new Map()) {
  if (typeof config !== "object" || config === null || Array.isArray(config)) return into.set(prefix, config);
  const entries = Object.entries(config);
  if (!entries.length && prefix) into.set(prefix, config);
  for (const [key, value] of entries) flatten(value, prefix ? `${prefix}.${key}` : key, into);
  return into;
}
