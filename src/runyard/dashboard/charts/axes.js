/** The axes of parallel coordinates: one for each setting, one for the metric. Pure. */
import { setting } from "../format.js";
import { short } from "./numbers.js";

/**
 * @typedef {object} Axis
 * @property {string} key
 * @property {string} title
 * @property {boolean} isMetric
 * @property {boolean} isLog
 * @property {{value: unknown, text: string, at: number}[]} ticks `at`: 0 (bottom) to 1
 * @property {(value: unknown) => number} place 0 to 1; NaN for what is missing
 */

const MOST_WORDS = 24;
const MOST_MARKS = 8; // more values than that are not marked one by one
const MARKS = 4; // about as many
const EXACT = 6; // digits that a round number may need

/**
 * @param {string} key
 * @param {readonly unknown[]} values of all runs; undefined where a run lacks it
 * @param {boolean} [isMetric]
 * @returns {Axis}
 */
export function axisOf(key, values, isMetric = false) {
  const known = values.filter((value) => value !== undefined && value !== null && !(typeof value === "number" && !Number.isFinite(value)));
  const title = isMetric || key.length <= 16 ? key : key.slice(key.lastIndexOf(".") + 1);
  if (known.length && known.every((value) => typeof value === "number")) return numberAxis({ key, title, isMetric }, /** @type {number[]} */ (known));
  return wordAxis({ key, title, isMetric }, known);
}

/**
 * @param {{key: string, title: string, isMetric: boolean}} names
 * @param {number[]} values
 * @returns {Axis}
 */
function numberAxis(names, values) {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const [low, high] = [distinct[0], distinct[distinct.length - 1]];
  const isLog = !names.isMetric && low > 0 && high / low >= 10;
  const scale = isLog ? Math.log10 : (/** @type {number} */ value) => value;
  const span = scale(high) - scale(low);
  const place = (/** @type {unknown} */ value) => (typeof value !== "number" || !Number.isFinite(value) ? NaN : span ? (scale(value) - scale(low)) / span : 0.5);
  const marks = distinct.length <= MOST_MARKS ? distinct : isLog ? powers(low, high) : rounds(low, high);
  return { ...names, isLog, place, ticks: marks.map((value) => ({ value, text: short(value, distinct.length <= MOST_MARKS ? 3 : EXACT), at: place(value) })) };
}

/** Round numbers from `low` to `high`, about MARKS of them. @param {number} low @param {number} high */
function rounds(low, high) {
  const rough = (high - low) / MARKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(EXACT)));
}

/** Powers of ten from `low` to `high`, of many decades only some. @param {number} low above 0 @param {number} high */
function powers(low, high) {
  const slack = 1e-9; // a logarithm of 0.001 is not quite -3
  const [first, last] = [Math.ceil(Math.log10(low) - slack), Math.floor(Math.log10(high) + slack)];
  const every = Math.ceil((last - first + 1) / MOST_MARKS);
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => Number(`1e${first + i * every}`));
}

/**
 * @param {{key: string, title: string, isMetric: boolean}} names
 * @param {unknown[]} values
 * @returns {Axis}
 */
function wordAxis(names, values) {
  const words = [...new Map(values.map((value) => [JSON.stringify(value), value])).entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  const places = new Map(words.map(([text], i) => [text, words.length > 1 ? i / (words.length - 1) : 0.5]));
  const place = (/** @type {unknown} */ value) => places.get(JSON.stringify(value)) ?? NaN;
  const every = Math.ceil(words.length / MOST_WORDS);
  return { ...names, isLog: false, place, ticks: words.filter((_, i) => i % every === 0).map(([, value]) => ({ value, text: setting(value).slice(0, 24), at: place(value) })) };
}

/**
 * A brushed part of an axis in the query language, "" if nothing lies in it. Borders are values of runs, so that what
 * is found is what was seen.
 * @param {Axis} axis
 * @param {[number, number]} brush from 0 to 1
 * @param {readonly unknown[]} values of all runs
 * @param {string} field as the query language names it
 */
export function conditionOf(axis, [from, to], values, field) {
  const within = values.filter((value) => axis.place(value) >= from && axis.place(value) <= to);
  if (!within.length) return "";
  if (within.every((value) => typeof value === "number")) {
    const numbers = /** @type {number[]} */ (within);
    const [low, high] = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
    return low === high ? `${field} == ${low}` : `${low} <= ${field} <= ${high}`;
  }
  const words = [...new Set(within.map(literal))];
  return words.length === 1 ? `${field} == ${words[0]}` : `${field} in [${words.join(", ")}]`;
}

/** A value as the query language writes it. @param {unknown} value */
function literal(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  return JSON.stringify(value);
}
