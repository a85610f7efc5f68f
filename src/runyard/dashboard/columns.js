/** Which columns the table has: the chosen ones, or what tells the runs of this filter apart. */
import { computed, effect, signal } from "@preact/signals";
import * as api from "./api.js";
import { bestIn, columnOf, defaultColumns, LONGEST_ID, offeredOf } from "./question.js";
import { changed, columns as chosen, groupBy, page, project, projectInfo, query } from "./state.js";

/** @import {Column, ColumnChoice, Columns} from "./types.js" */

/** What the server offers for this filter. @type {import("@preact/signals").Signal<Columns | null>} */
export const offered = signal(/** @type {Columns | null} */ (null));

/** What the project has without a filter: what completion knows, and the columns while no run matches. @type {import("@preact/signals").Signal<Columns | null>} */
export const vocabulary = signal(/** @type {Columns | null} */ (null));

/** @type {Record<string, {title: string, width: number, isNumber?: boolean, sortKey: string | null, hint?: string}>} */
const FIELDS = {
  state: { title: "state", width: 124, sortKey: "state" },
  name: { title: "name", width: 212, sortKey: "name" },
  duration_s: { title: "time", width: 72, isNumber: true, sortKey: "duration_s", hint: "how long it ran" },
  created_at: { title: "age", width: 64, isNumber: true, sortKey: "created_at", hint: "since it was asked for" },
  tags: { title: "tags", width: 148, sortKey: null },
  note: { title: "note", width: 220, sortKey: "note" },
  reason: { title: "reason", width: 240, sortKey: "reason" },
  seed: { title: "seed", width: 56, isNumber: true, sortKey: "seed" },
  experiment: { title: "experiment", width: 140, sortKey: "experiment" },
  grid: { title: "grid", width: 140, sortKey: "grid" },
  user: { title: "user", width: 88, sortKey: "user" },
  host: { title: "host", width: 110, sortKey: "host" },
  attempt: { title: "attempt", width: 68, isNumber: true, sortKey: "attempt" },
  id: { title: "id", width: 110, sortKey: "id" },
};
export const FIELD_IDS = Object.keys(FIELDS);

/** @param {string} key @returns {"max" | "min" | "last"} which value of a metric is its best */
export const bestOf = (key) => bestIn(key, projectInfo.value);

/** @param {string} key of the config, as the query language wants it */
export const configField = (key) => (/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(key) ? `config.${key}` : `config[${JSON.stringify(key)}]`);

const defaults = computed(() => defaultColumns(offered.value, projectInfo.value));

/** The choice in force. */
export const choice = computed(() => chosen.value ?? defaults.value);

/** The columns as the table draws them, pinned ones first. */
export const shown = computed(() => {
  const all = choice.value;
  const short = shortTitles(all.filter((each) => each.id.startsWith("config:")).map((each) => each.id.slice(7)));
  const built = all.map((each) => build(each, short, groupBy.value !== "")).filter((each) => each !== null);
  return [...built.filter((each) => each.isPinned), ...built.filter((each) => !each.isPinned)];
});

/** @param {string[]} keys @returns {Map<string, string>} the end of each key that is neither the end of another nor the name of a field */
function shortTitles(keys) {
  const titles = new Map();
  for (const key of keys) {
    const parts = key.split(".");
    let n = 1;
    while (n < parts.length && (parts.slice(-n).join(".") in FIELDS || keys.some((other) => other !== key && `.${other}`.endsWith(`.${parts.slice(-n).join(".")}`)))) n++;
    titles.set(key, parts.slice(-n).join("."));
  }
  return titles;
}

/** @param {ColumnChoice} choice @param {Map<string, string>} short @param {boolean} isGrouped @returns {Column | null} */
function build({ id, width, isPinned = false }, short, isGrouped) {
  const field = Object.hasOwn(FIELDS, id) ? FIELDS[id] : null;
  if (id.length > LONGEST_ID) return null;
  if (field) return { id, kind: "field", key: id, ...field, isNumber: field.isNumber ?? false, width: width ?? field.width, isPinned };
  const { kind, key, statistic } = columnOf(id);
  if (kind === "config") {
    const title = short.get(key) ?? key;
    const values = offered.value?.config.find((each) => each.key === key)?.values ?? [];
    const isNumber = values.length > 0 && values.every((each) => typeof each === "number");
    const longest = Math.max(title.length, ...values.map((each) => Math.min(22, String(each).length)));
    return { id, kind: "config", key, title, hint: key, width: width ?? Math.min(180, Math.max(56, longest * 6.6 + 26)), isPinned, isNumber, sortKey: configField(key) };
  }
  if (statistic === undefined) return null;
  const isBest = statistic === bestOf(key) && statistic !== "last";
  const wide = Math.min(190, Math.max(isGrouped ? 150 : 84, (key.length + (isBest ? 0 : statistic.length)) * 6.4 + 34));
  return { id, kind: "metric", key, statistic, title: key, hint: isBest ? `${key}: the best of each run (${statistic})` : `${key}, ${statistic}`, note: isBest ? "" : statistic, width: width ?? wide, isPinned, isNumber: true, sortKey: `metric:${key}.${statistic}` };
}

/** @param {(old: readonly ColumnChoice[]) => readonly ColumnChoice[]} edit */
export const changeColumns = (edit) => (chosen.value = edit(choice.peek().map((each) => ({ ...each }))));

/** @param {string} id */
export function toggleColumn(id) {
  changeColumns((old) => (old.some((each) => each.id === id) ? old.filter((each) => each.id !== id) : [...old, { id }]));
}

/** @param {string} id */
export const togglePin = (id) => changeColumns((old) => old.map((each) => (each.id === id ? { ...each, isPinned: !each.isPinned } : each)));

/** @param {string} id @param {number} width */
export const resizeColumn = (id, width) => changeColumns((old) => old.map((each) => (each.id === id ? { ...each, width: Math.round(width) } : each)));

/** @param {string} id @param {string} before the column at whose place it shall be */
export function moveColumn(id, before) {
  if (id === before) return;
  changeColumns((old) => {
    const moved = { ...old.find((each) => each.id === id), id };
    moved.isPinned = old.find((each) => each.id === before)?.isPinned;
    const from = old.findIndex((each) => each.id === id);
    const to = old.findIndex((each) => each.id === before);
    const rest = old.filter((each) => each.id !== id);
    const at = rest.findIndex((each) => each.id === before) + (from < to ? 1 : 0);
    return [...rest.slice(0, at), moved, ...rest.slice(at)];
  });
}

/** Whether somebody looks for a name, and all metrics are wanted: a run may have 12,000. */
const isWhole = signal(false);

/** Have all names at hand from now on. Of many metrics a page knows some of every section until then. */
export function wantAllNames() {
  isWhole.value = true;
}

const REFRESH_MS = 10_000;
const AFTER_ROWS_MS = 200; // of another filter: the rows that it keeps come first, in the columns that are there

/** @param {Columns} next @param {Columns | null} old of a run with 12,000 metrics they are half a megabyte */
const isSame = (next, old) => next === old || (old !== null && JSON.stringify(next) === JSON.stringify(old));

/** @param {Columns | null} columns @returns {boolean} whether there are more metrics than it names */
export const isCut = (columns) => columns !== null && columns.metrics.length < columns.metrics_total;

/** Keeps `offered` right; called once. */
export function startColumns() {
  let latest = 0;
  let at = 0;
  /** @type {number | undefined} */
  let timer;
  const load = async () => {
    timer = undefined;
    at = Date.now();
    const turn = ++latest;
    try {
      const ask = (/** @type {string} */ filter) => api.columns(project.peek(), filter, undefined, isWhole.peek());
      const [all, some] = await Promise.all([ask(""), query.peek() ? ask(query.peek()) : null]);
      if (turn !== latest) return;
      const found = offeredOf(all, some);
      if (!isSame(all, vocabulary.peek())) vocabulary.value = all;
      if (!isSame(found, offered.peek())) offered.value = found;
    } catch {
      // the table asks the same filter, and says what is wrong with it
      if (turn === latest) offered.value ??= { config: [], metrics: [], metrics_total: 0, tags: [] };
    }
  };
  let shownProject = "";
  effect(() => {
    const name = project.value;
    query.value;
    if (!name || page.value !== "project") return;
    if (name === shownProject) {
      const wait = setTimeout(load, AFTER_ROWS_MS);
      return () => clearTimeout(wait);
    }
    offered.value = null;
    isWhole.value = false;
    shownProject = name;
    load();
  });
  effect(() => {
    if (isWhole.value && (isCut(vocabulary.peek()) || isCut(offered.peek()))) load();
  });
  effect(() => {
    if (changed.value.runs.length === 0 && !changed.value.everything) return;
    if (page.peek() !== "project" || !project.peek() || timer !== undefined) return;
    timer = setTimeout(load, Math.max(500, at + REFRESH_MS - Date.now()));
  });
}
