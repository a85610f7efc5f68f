/** Numbers, times and states as people read them. */

/** @import {Progress} from "./types.js" */

export const NOTHING = "–";

/** @param {number | null | undefined} value */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace("e+", "e");
  return Number(value.toPrecision(4)).toString();
}

/** @param {number} value */
export const count = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");

/**
 * A number with as many digits as its spread makes sense of.
 * @param {number | null | undefined} mean
 * @param {number | null | undefined} std
 * @returns {[string, string]}
 */
export function spread(mean, std) {
  if (mean === null || mean === undefined) return [NOTHING, ""];
  if (!std || !Number.isFinite(std)) return [number(mean), ""];
  const magnitude = Math.floor(Math.log10(std));
  const isCoarse = std / 10 ** magnitude >= 3; // one digit tells enough, else two
  const digits = Math.min(8, Math.max(0, (isCoarse ? 0 : 1) - magnitude));
  if (Math.abs(mean) >= 1e6 || digits >= 7) return [number(mean), number(std)];
  return [mean.toFixed(Math.min(digits, 6)), std.toFixed(Math.min(digits, 6))];
}

/**
 * A setting by its dotted key, from sections or from flat keys.
 * @param {Record<string, any>} config
 * @param {string} key
 * @returns {unknown}
 */
export function settingOf(config, key) {
  if (key in config) return config[key];
  return key.split(".").reduce((/** @type {any} */ inside, part) => (inside !== null && typeof inside === "object" ? inside[part] : undefined), config);
}

/** @param {unknown} value of a config key */
export function setting(value) {
  if (value === null) return "none";
  if (value === undefined) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  if (typeof value === "boolean") return value ? "true" : "false";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  if (seconds < 1) return "< 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.round(seconds / 86400)} d`;
}

/** How long ago, roughly. @param {string | null | undefined} time @param {number} now */
export function age(time, now) {
  if (!time) return NOTHING;
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 60) return "now";
  if (seconds < 90 * 60 || seconds >= 48 * 3600) return duration(seconds);
  return `${Math.round(seconds / 3600)} h`;
}

/** A metric in a column: as many digits in every row. @param {number | null | undefined} value */
export function measured(value) {
  if (value === null || value === undefined || !Number.isFinite(value) || Number.isInteger(value)) return number(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e4 ? value.toPrecision(4) : number(value);
}

/** @param {number} seconds from `now` @param {number} now */
export function clock(seconds, now) {
  const then = new Date(now + seconds * 1000);
  const time = `${two(then.getHours())}:${two(then.getMinutes())}`;
  return then.toDateString() === new Date(now).toDateString() ? time : `${DAYS[then.getDay()]} ${time}`;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (/** @type {number} */ n) => String(n).padStart(2, "0");

/**
 * By hand: to prepare one of the browser's own formats takes it longer than to draw the table.
 * @param {string | null | undefined} time
 */
export function moment(time) {
  if (!time) return NOTHING;
  const at = new Date(time);
  return `${DAYS[at.getDay()]} ${at.getDate()} ${MONTHS[at.getMonth()]}, ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** @param {number | null | undefined} size */
export function bytes(size) {
  if (size === null || size === undefined) return NOTHING;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (size >= 1000 && i < units.length - 1) {
    size /= 1000;
    i++;
  }
  return `${i === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[i]}`;
}

/** @type {Record<string, [string, string]>} word and class of each state */
const STATES = {
  QUEUED: ["queued", "waiting"],
  HELD: ["held", "held"],
  RUNNING: ["running", "running"],
  COMPLETED: ["done", "ok"],
  FAILED: ["failed", "failed"],
  OUT_OF_MEMORY: ["out of memory", "oom"],
  TIMED_OUT: ["timed out", "timed"],
  STOPPED: ["stopped", "idle"],
  INTERRUPTED: ["interrupted", "warn"],
  LOST: ["lost", "warn"],
};

/** @param {string} state */
export const stateWord = (state) => STATES[state]?.[0] ?? state.toLowerCase();
/** @param {string} state */
export const stateClass = (state) => STATES[state]?.[1] ?? "idle";

/** @param {Progress | number | null | undefined} progress @returns {number | null} 0 … 1 */
export function share(progress) {
  if (progress === null || progress === undefined) return null;
  if (typeof progress === "number") return Math.min(1, progress > 1 ? progress / 100 : progress);
  return progress.total ? Math.min(1, progress.done / progress.total) : null;
}

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : (many ?? `${one}s`)}`;

/**
 * Six in the evening of the day before, when a team goes home: what ended since is what the morning page is about.
 * @param {Date} now
 * @returns {string} ISO 8601
 */
export const eveningBefore = (now) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1, 18).toISOString();
