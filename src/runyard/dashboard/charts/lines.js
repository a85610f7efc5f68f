/** From curves of runs to the lines of a chart: smoothing, groups as bands, crowds as one band. */
import { bandOf } from "./bands.js";
import { smoothed } from "./smoothing.js";

/** @import {Curve} from "./curves.js" */
/** @import {Line} from "./plot.js" */
/** @import {Shown} from "./shown.js" */

/** From so many curves on they are drawn as one band, unless every curve is asked for. */
export const CROWD = 50;

/**
 * @param {object} options
 * @param {readonly Shown[]} options.shown
 * @param {ReadonlyMap<string, Curve>} options.curves by run
 * @param {readonly string[]} options.palette
 * @param {number} options.smoothing
 * @param {"std" | "range" | "each"} options.groupsAs
 * @returns {{lines: Line[], isCrowd: boolean}}
 */
export function linesOf({ shown, curves, palette, smoothing, groupsAs }) {
  const lines = shown.flatMap((item) => {
    const own = item.runIds.map((run) => curves.get(run)).filter((curve) => curve !== undefined && curve.x.length > 0);
    if (!own.length) return [];
    const common = { id: item.id, name: item.label, ink: palette[item.colour], isDashed: item.isDashed };
    const many = /** @type {Curve[]} */ (own);
    if (many.length > 1 && groupsAs !== "each") return [asBand(common, many, smoothing, groupsAs)];
    return many.map((curve) => asLine(common, curve, smoothing));
  });
  const isCrowd = groupsAs !== "each" && lines.length > CROWD;
  if (!isCrowd) return { lines, isCrowd };
  const band = bandOf(lines, { kind: groupsAs });
  const all = { id: "", name: `all ${lines.length}`, ink: palette[0], x: band.x, y: band.mean, low: band.low, high: band.high };
  return { lines: [all, ...lines.map((line) => ({ ...line, isHidden: true }))], isCrowd };
}

/** @typedef {{id: string, name: string, ink: string, isDashed: boolean}} Common */

/**
 * @param {Common} common
 * @param {Curve[]} curves
 * @param {number} smoothing
 * @param {"std" | "range"} kind
 * @returns {Line}
 */
function asBand(common, curves, smoothing, kind) {
  const band = bandOf(curves.map(({ x, mean }) => ({ x, y: smoothed(mean, smoothing) })), { kind });
  return { ...common, x: band.x, y: band.mean, low: band.low, high: band.high, members: band.n };
}

/**
 * Smoothed, with what was measured behind it; else as it is, with the extremes of each bucket.
 * @param {Common} common
 * @param {Curve} curve
 * @param {number} smoothing
 * @returns {Line}
 */
function asLine(common, { x, mean, min, max, isBucketed }, smoothing) {
  const extremes = isBucketed ? { low: min, high: max } : {};
  if (smoothing <= 0) return { ...common, x, y: mean, ...extremes };
  return { ...common, x, y: smoothed(mean, smoothing), raw: mean, ...extremes };
}
