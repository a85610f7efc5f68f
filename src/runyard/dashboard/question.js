/** What the table asks for: its columns where nobody has chosen any, and of each run no more than they show. */

/** @import {ColumnChoice, Columns, Project, RunsAsked} from "./types.js" */

export const PAGE = 100; // rows in one request
const SHOWN_SETTINGS = 8;
const HEADLINES = 2; // where the project does not say what its runs are judged by
export const LONGEST_ID = 400; // a column's key is asked for in an address, which a server takes up to some 64 kB
export const NO_KEY = ["-"]; // an absent list would mean all keys, and a run may have 12,000

/** @param {string} key @param {Project | null} project @returns {"max" | "min" | "last"} which value of a metric is its best */
export function bestIn(key, project) {
  const goal = project?.metrics.find((each) => each.key === key)?.goal;
  if (goal === "max" || goal === "min") return goal;
  if (/(^|[/_.-])(loss|err|error|rmse|mae|mse|perplexity)/i.test(key)) return "min";
  if (/(acc|accuracy|f1|auc|iou|score|recall|precision|reward|r2)/i.test(key)) return "max";
  return "last";
}

/**
 * The settings that tell the runs apart, and what the project is judged by.
 * @param {Columns | null} offered
 * @param {Project | null} project
 * @returns {ColumnChoice[]}
 */
export function defaultColumns(offered, project) {
  const settings = (offered?.config ?? []).filter((each) => each.distinct > 1 && each.key !== "seed" && each.key.length <= LONGEST_ID).slice(0, SHOWN_SETTINGS);
  const best = headlineOf(offered, project).map((key) => `metric:${key}.${bestIn(key, project)}`);
  const ids = ["state", "name", ...settings.map((each) => `config:${each.key}`), ...best, "duration_s", "created_at", "tags"];
  return ids.map((id) => ({ id, isPinned: id === "state" || id === "name" || id === best[0] }));
}

/** What was found, since a run may have 12,000 metrics. @type {WeakMap<Columns, {project: Project | null, keys: string[]}>} */
const headlines = new WeakMap();

/** @param {Columns | null} offered @param {Project | null} project @returns {readonly string[]} the metrics that are shown first */
function headlineOf(offered, project) {
  if (offered === null) return [];
  const known = headlines.get(offered);
  if (known?.project === project) return known.keys;
  const keys = findHeadline(offered, project);
  headlines.set(offered, { project, keys });
  return keys;
}

/** @param {Columns} offered @param {Project | null} project @returns {string[]} */
function findHeadline(offered, project) {
  const logged = offered.metrics;
  if (project?.metrics.length) {
    const known = new Set(logged.map((each) => each.key));
    const judged = project.metrics.map((each) => each.key).filter((key) => known.has(key));
    if (judged.length) return judged;
  }
  const rank = (/** @type {string} */ key) => (/^val|^test/.test(key) ? 0 : 1) + (bestIn(key, project) === "last" ? 2 : 0);
  /** @type {string[][]} */
  const byRank = [[], [], [], []];
  for (const { key } of logged) {
    if (byRank[0].length === HEADLINES) break;
    if (!key.startsWith("sys/") && key.length <= LONGEST_ID) byRank[rank(key)].push(key);
  }
  return byRank.flat().slice(0, HEADLINES);
}

/** @param {string} id of a column @returns {{kind: "config" | "metric" | "field", key: string, statistic?: string}} */
export function columnOf(id) {
  if (id.startsWith("config:")) return { kind: "config", key: id.slice(7) };
  const metric = /^metric:(.+)\.(last|min|max)$/.exec(id);
  return metric ? { kind: "metric", key: metric[1], statistic: metric[2] } : { kind: "field", key: id };
}

/**
 * Metrics or settings that columns show, sorted: other places of the same columns are no other question.
 * @param {readonly ColumnChoice[]} columns
 * @param {"metric" | "config"} kind
 */
export function keysOf(columns, kind) {
  const found = columns.map(({ id }) => (id.length <= LONGEST_ID ? columnOf(id) : null)).filter((each) => each?.kind === kind);
  const keys = [...new Set(found.map((each) => /** @type {{key: string}} */ (each).key))].sort();
  return keys.length ? keys : NO_KEY;
}

/** @param {readonly ColumnChoice[]} columns @returns {string[]} `metric.statistic`, as groups are asked for them */
export const statisticsOf = (columns) =>
  columns.filter(({ id }) => id.length <= LONGEST_ID && columnOf(id).kind === "metric").map(({ id }) => id.slice("metric:".length)).sort();

/**
 * A page of the table's runs. Their number is asked for apart, since counting may take longer.
 * @param {{project: string, query: string, sort: string, metrics: string[], config: string[]}} question
 * @param {number} page from 0
 * @returns {RunsAsked}
 */
export const pageAsked = ({ project, query, sort, metrics, config }, page) => ({ project, query, sort, metrics, config, count: false, offset: page * PAGE, limit: PAGE });

/** @param {string} sort @returns {string} the newest first where nobody has chosen */
export const sortedBy = (sort) => sort || "-created_at";

/** @param {readonly Project[]} projects @returns {string} the one whose runs are the newest, "" if there is none */
export const newestOf = (projects) => [...projects].sort((a, b) => (b.last_at ?? "").localeCompare(a.last_at ?? ""))[0]?.name ?? "";

/**
 * What a filter offers; where no run matches it, what the project does.
 * @param {Columns} all
 * @param {Columns | null | undefined} filtered
 */
export const offeredOf = (all, filtered) => (filtered && (filtered.config.length || filtered.metrics.length) ? filtered : all);
