/**
 * Exponential moving average that does not start at zero.
 *
 * Each weighted sum is divided by the sum of its weights (the debiasing of Adam; Kingma & Ba, 2015), so that the first
 * points are as high as the raw ones. NaN and infinities stay where they are and leave the average alone.
 * @param {Float64Array} values
 * @param {number} weight of the past, from 0 (raw) to below 1
 */
export function smoothed(values, weight) {
  if (weight <= 0) return values;
  const out = new Float64Array(values.length);
  let sum = 0;
  let weights = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (!Number.isFinite(value)) {
      out[i] = value;
      continue;
    }
    sum = sum * weight + (1 - weight) * value;
    weights = weights * weight + (1 - weight);
    out[i] = sum / weights;
  }
  return out;
}
