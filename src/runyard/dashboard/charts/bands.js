/**
 * Several curves as one: their mean with a band around it, on x values that all share.
 *
 * A run counts only between its own first and last point, so that one that stopped early does not drag the mean along.
 */

import { indexAtOrAfter } from "./curves.js";

/**
 * @typedef {object} Band
 * @property {Float64Array} x
 * @property {Float64Array} mean
 * @property {Float64Array} low mean - std, or the lowest
 * @property {Float64Array} high mean + std, or the highest
 * @property {Uint16Array} n how many curves reach this x
 */

/**
 * @param {{x: Float64Array, y: Float64Array}[]} curves
 * @param {object} options
 * @param {"std" | "range"} options.kind sample standard deviation (n - 1), or from the lowest to the highest
 * @param {number} [options.points] at most so many x values, evenly spread
 * @returns {Band}
 */
export function bandOf(curves, { kind, points = 400 }) {
  const x = commonGrid(curves.map((curve) => curve.x), points);
  const size = x.length;
  const n = new Uint16Array(size);
  const mean = new Float64Array(size);
  const squares = new Float64Array(size);
  const low = new Float64Array(size).fill(Infinity);
  const high = new Float64Array(size).fill(-Infinity);
  for (const curve of curves) addCurve(curve, { x, n, mean, squares, low, high });
  for (let i = 0; i < size; i += 1) {
    if (n[i] === 0) {
      mean[i] = low[i] = high[i] = NaN;
    } else if (kind === "std") {
      const std = n[i] > 1 ? Math.sqrt(squares[i] / (n[i] - 1)) : 0;
      low[i] = mean[i] - std;
      high[i] = mean[i] + std;
    }
  }
  return { x, mean, low, high, n };
}

/**
 * Adds one curve to the running moments (Welford, 1962).
 * @param {{x: Float64Array, y: Float64Array}} curve
 * @param {{x: Float64Array, n: Uint16Array, mean: Float64Array, squares: Float64Array, low: Float64Array, high: Float64Array}} into
 */
function addCurve(curve, into) {
  const { x, y } = curve;
  if (!x.length) return;
  let right = 0;
  for (let i = indexAtOrAfter(into.x, x[0]); i < into.x.length && into.x[i] <= x[x.length - 1]; i += 1) {
    while (x[right] < into.x[i]) right += 1;
    const value = between(x, y, right, into.x[i]);
    if (!Number.isFinite(value)) continue;
    into.n[i] += 1;
    const off = value - into.mean[i];
    into.mean[i] += off / into.n[i];
    into.squares[i] += off * (value - into.mean[i]);
    if (value < into.low[i]) into.low[i] = value;
    if (value > into.high[i]) into.high[i] = value;
  }
}

/**
 * The value at `wanted`, on the straight line between the point at `right` and the one before.
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {number} right the first place at or after `wanted`
 * @param {number} wanted
 */
function between(x, y, right, wanted) {
  if (right === 0 || x[right] === wanted) return y[right];
  const share = (wanted - x[right - 1]) / (x[right] - x[right - 1]);
  return y[right - 1] + share * (y[right] - y[right - 1]);
}

/**
 * The x values of all curves if they are few, else as many as asked for, evenly spread.
 * @param {Float64Array[]} all
 * @param {number} points
 */
export function commonGrid(all, points) {
  const filled = all.filter((x) => x.length);
  if (!filled.length) return new Float64Array(0);
  const same = filled.every((x) => x.length === filled[0].length && x[0] === filled[0][0] && x.at(-1) === filled[0].at(-1));
  if (same && filled[0].length <= points * 2) return filled[0];
  const known = new Set();
  for (const x of filled) {
    for (let i = 0; i < x.length && known.size <= points; i += 1) known.add(x[i]);
    if (known.size > points) break;
  }
  if (known.size <= points) return Float64Array.from(known).sort();
  const low = Math.min(...filled.map((x) => x[0]));
  const high = Math.max(...filled.map((x) => x[x.length - 1]));
  return Float64Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1));
}
