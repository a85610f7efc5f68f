/**
 * How much of a metric's variation goes with each setting, one setting at a time.
 *
 * Numbers: the square of Spearman's rank correlation, so that "twice the learning rate" counts the same everywhere and a
 * monotonic relation of any shape is found; a hill (best in the middle) is not, so the larger of this and eta² over up
 * to five equal bins of ranks is taken. Words: eta², the share of the variance of the metric's ranks that lies between the
 * values. Both are then corrected for the number of values (as adjusted R² is), so that noise comes out near 0.
 *
 * It is no model: settings that matter only together show little, and settings that were changed together (a sweep that
 * zips them) share their merit. It says what to look at, not what caused it.
 */

/**
 * @typedef {object} Importance
 * @property {string} key
 * @property {number} share 0 to 1
 * @property {number} direction Spearman's correlation, -1 to 1; NaN for words
 * @property {number} n runs that have both the setting and the metric
 */

/**
 * @param {{config: Record<string, unknown>, value: number}[]} runs
 * @param {string[]} keys
 * @returns {Importance[]} the largest share first; settings with fewer than 4 runs or a single value are left out
 */
export function importances(runs, keys) {
  return keys
    .map((key) => importanceOf(runs, key))
    .filter((found) => found !== null)
    .sort((a, b) => b.share - a.share);
}

/**
 * @param {{config: Record<string, unknown>, value: number}[]} runs
 * @param {string} key
 * @returns {Importance | null}
 */
function importanceOf(runs, key) {
  const known = runs.filter((run) => Number.isFinite(run.value) && run.config[key] !== undefined);
  const settings = known.map((run) => run.config[key]);
  const distinct = new Set(settings.map((setting) => JSON.stringify(setting)));
  if (known.length < 4 || distinct.size < 2) return null;
  const goals = ranks(known.map((run) => run.value));
  if (!settings.every((setting) => typeof setting === "number")) {
    const words = settings.map((setting) => JSON.stringify(setting));
    return { key, share: adjusted(etaSquared(words, goals), distinct.size - 1, known.length), direction: NaN, n: known.length };
  }
  const places = ranks(/** @type {number[]} */ (settings));
  const rho = correlation(places, goals);
  const bins = distinct.size <= 5 ? places.map(String) : places.map((place) => String(Math.min(Math.floor((5 * place) / known.length), 4)));
  const byBins = adjusted(etaSquared(bins, goals), new Set(bins).size - 1, known.length);
  return { key, share: Math.max(adjusted(rho * rho, 1, known.length), byBins), direction: rho, n: known.length };
}

/**
 * Ranks from 0, ties share the mean of theirs.
 * @param {number[]} values
 */
export function ranks(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const found = new Array(values.length).fill(0);
  for (let i = 0; i < order.length; ) {
    let end = i;
    while (end + 1 < order.length && values[order[end + 1]] === values[order[i]]) end += 1;
    for (let k = i; k <= end; k += 1) found[order[k]] = (i + end) / 2;
    i = end + 1;
  }
  return found;
}

/**
 * Pearson's correlation; 0 if one side never changes.
 * @param {number[]} a
 * @param {number[]} b
 */
export function correlation(a, b) {
  const [meanA, meanB] = [average(a), average(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    ab += (value - meanA) * (b[i] - meanB);
    aa += (value - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  });
  return aa && bb ? ab / Math.sqrt(aa * bb) : 0;
}

/**
 * The share of the variance of `values` that lies between the groups.
 * @param {string[]} groups
 * @param {number[]} values
 */
export function etaSquared(groups, values) {
  const mean = average(values);
  /** @type {Map<string, number[]>} */
  const members = new Map();
  groups.forEach((group, i) => members.set(group, [...(members.get(group) ?? []), values[i]]));
  const total = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  let explained = 0;
  for (const own of members.values()) explained += own.length * (average(own) - mean) ** 2;
  return total ? explained / total : 0;
}

/**
 * @param {number} share
 * @param {number} freedom values - 1, or 1 for a slope
 * @param {number} n
 */
function adjusted(share, freedom, n) {
  if (n - freedom - 1 <= 0) return 0;
  return Math.min(Math.max(1 - ((1 - share) * (n - 1)) / (n - freedom - 1), 0), 1);
}

/** @param {number[]} values */
function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
