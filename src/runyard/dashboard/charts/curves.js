/**
 * The points of one metric of one run, as charts need them.
 *
 * A curve of few points has one value per x; of many, each x stands for a bucket with its extremes. Both become the
 * same shape here, so that nothing that draws needs to know: without buckets, `min`, `max` and `last` are `mean`.
 */

/** @import {Series} from "../types.js" */

/**
 * @typedef {object} Curve
 * @property {string} run
 * @property {string} key
 * @property {boolean} isBucketed
 * @property {Float64Array} x ascending, unless the clock was turned back
 * @property {Float64Array} mean the values themselves, where nothing was bucketed
 * @property {Float64Array} min
 * @property {Float64Array} max
 * @property {Float64Array} last
 */

/**
 * @param {Series} series
 * @returns {Curve}
 */
export function curveOf({ run, key, is_bucketed: isBucketed, arrays }) {
  const mean = arrays.mean ?? arrays.y;
  return { run, key, isBucketed, x: arrays.x, mean, min: arrays.min ?? mean, max: arrays.max ?? mean, last: arrays.last ?? mean };
}

/**
 * What is drawn of a run that never logged the key.
 * @param {string} run
 * @param {string} key
 * @returns {Curve}
 */
export function emptyCurve(run, key) {
  const none = new Float64Array(0);
  return { run, key, isBucketed: false, x: none, mean: none, min: none, max: none, last: none };
}

/**
 * The curve with newer points behind it; they replace what stands at their first x and after.
 * @param {Curve} curve
 * @param {Curve} tail
 * @returns {Curve}
 */
export function withTail(curve, tail) {
  if (!tail.x.length) return curve;
  const keep = indexAtOrAfter(curve.x, tail.x[0]);
  const joined = (/** @type {"x" | "mean" | "min" | "max" | "last"} */ name) => {
    const both = new Float64Array(keep + tail.x.length);
    both.set(curve[name].subarray(0, keep));
    both.set(tail[name], keep);
    return both;
  };
  const x = joined("x");
  const mean = joined("mean");
  const isBucketed = curve.isBucketed || tail.isBucketed;
  if (!isBucketed) return { ...curve, x, mean, min: mean, max: mean, last: mean };
  return { ...curve, isBucketed, x, mean, min: joined("min"), max: joined("max"), last: joined("last") };
}

/**
 * The first place in an ascending array whose value is at least `wanted`; its length if none is.
 * @param {ArrayLike<number>} values
 * @param {number} wanted
 */
export function indexAtOrAfter(values, wanted) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The place whose x is nearest; -1 in an empty array.
 * @param {ArrayLike<number>} values ascending
 * @param {number} wanted
 */
export function nearestIndex(values, wanted) {
  if (!values.length) return -1;
  const after = indexAtOrAfter(values, wanted);
  if (after === 0) return 0;
  if (after === values.length) return after - 1;
  return wanted - values[after - 1] <= values[after] - wanted ? after - 1 : after;
}
