/** Files made by the page: a chart as a picture, its numbers as a table. */

/** @import {Curve} from "./curves.js" */

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Names of metrics hold slashes, and anything else; the end with its dot stays.
 * @param {string} name
 */
export function fileName(name) {
  const dot = name.lastIndexOf(".");
  const stem = name.slice(0, dot).replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+/, "").slice(0, 120);
  return (stem || "runyard") + name.slice(dot);
}

/**
 * One line per point.
 * @param {{name: string, run: string, curve: Curve}[]} rows
 * @param {string} x the name of the x axis
 */
export function csvOfCurves(rows, x) {
  const lines = [["run", "name", x, "value", "min", "max"].join(",")];
  for (const { name, run, curve } of rows) {
    const start = `${field(run)},${field(name)}`;
    for (let i = 0; i < curve.x.length; i += 1) lines.push(`${start},${curve.x[i]},${curve.mean[i]},${curve.min[i]},${curve.max[i]}`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * A text in a table; a leading sign is kept from becoming a formula.
 * @param {string} text
 */
export function field(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
