/** What the panels about a whole grid judge runs by: a metric, and which of its values. */
import { computed } from "@preact/signals";

import { bestOf, isCut, offered } from "../columns.js";
import { param, projectInfo } from "../state.js";

/** Metrics to choose from, those of the project first. A link may name one that is not listed among thousands. */
export const metricKeys = computed(() => {
  const listed = (offered.value?.metrics ?? []).map((each) => each.key);
  const wished = param("by");
  const logged = wished && !listed.includes(wished) && isCut(offered.value) ? [wished, ...listed] : listed;
  const own = (projectInfo.value?.metrics ?? []).map((each) => each.key).filter((key) => logged.includes(key));
  const rest = logged.filter((key) => !own.includes(key));
  return [...own, ...rest.filter((key) => /^(val|test)/.test(key)), ...rest.filter((key) => !/^(val|test|sys)/.test(key)), ...rest.filter((key) => key.startsWith("sys/"))];
});

/** "" while nothing was logged. */
export const headline = computed(() => {
  const wished = param("by");
  return metricKeys.value.includes(wished) ? wished : (metricKeys.value[0] ?? "");
});

/** "max", "min" or "last": which value of the metric counts. */
export const statistic = computed(() => bestOf(headline.value));

const MOST_VALUES = 24; // a setting with more is not what a grid was made of

/** Config keys by which the runs of the filter differ, but for the seed; what grids vary most comes first. */
export const differingKeys = computed(() => {
  const found = (offered.value?.config ?? []).filter((each) => each.distinct > 1 && each.key !== "seed");
  const rank = (/** @type {number} */ distinct) => (distinct > MOST_VALUES ? -distinct : distinct);
  return found.sort((a, b) => rank(b.distinct) - rank(a.distinct)).map((each) => each.key);
});
