/** Numbers, durations and moments as a chart writes them: short, and never longer than they are exact. */

/**
 * @param {number} value
 * @param {number} [digits] significant ones
 */
export function short(value, digits = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return tidy(value.toExponential(Math.max(digits - 2, 1))).replace("e+", "e");
  if (size >= 1000 && Number.isInteger(value)) return value.toLocaleString("en-US").replaceAll(",", "\u202f");
  return tidy(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1)))));
}

/** @param {string} text */
function tidy(text) {
  return text.replace(/(\.\d*?)0+(?=$|e)/, "$1").replace(/\.(?=$|e)/, "");
}

/**
 * Steps on an axis: 200, 20k, 1.5M.
 * @param {number} value
 */
export function count(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${tidy((value / 1e9).toPrecision(4))}G`;
  if (size >= 1e6) return `${tidy((value / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return `${tidy((value / 1e3).toPrecision(4))}k`;
  return String(Math.round(value * 1000) / 1000);
}

/** @param {number} seconds */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const sign = seconds < 0 ? "−" : "";
  const s = Math.abs(seconds);
  if (s < 10) return `${sign}${Math.round(s * 100) / 100} s`;
  if (s < 90) return `${sign}${Math.round(s)} s`;
  if (s < 5400) return `${sign}${Math.round(s / 6) / 10} min`;
  if (s < 172_800) return `${sign}${Math.round(s / 360) / 10} h`;
  return `${sign}${Math.round(s / 8640) / 10} d`;
}

/** @param {number} seconds since 1970 */
export function moment(seconds) {
  const at = new Date(seconds * 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/**
 * How values of this metric are written: bytes as such, percent and degrees with their sign, the rest as numbers.
 * @param {string} metric
 * @returns {(value: number) => string}
 */
export function writerOf(metric) {
  if (metric.endsWith("_bytes")) return (value) => size(value);
  if (metric.endsWith("_percent")) return (value) => `${short(value)} %`;
  if (/^sys\/.*_c$/.test(metric)) return (value) => `${short(value)} °C`;
  if (/^sys\/.*_w$/.test(metric)) return (value) => `${short(value)} W`;
  return short;
}

/** @param {number} value bytes */
function size(value) {
  const power = Math.min(Math.floor(Math.log10(Math.abs(value) || 1) / 3), 4);
  return `${short(value / 1000 ** power, 3)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}
