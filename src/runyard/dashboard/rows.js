/**
 * The rows of the table: asked for by pages of 100 where they are looked at, kept up to date row by row.
 * What was shown stays until its successor has arrived, so that nothing flickers.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import * as api from "./api.js";
import { choice, offered } from "./columns.js";
import { keysOf, NO_KEY, PAGE, pageAsked, sortedBy, statisticsOf } from "./question.js";
import { changed, groupBy, page, project, query, remember, select, sort } from "./state.js";

/** @import {Group, Run} from "./types.js" */
/** @typedef {{kind: "run" | "child", id: string, run: Run} | {kind: "group", id: string, group: Group, isOpen: boolean} | {kind: "blank", id: string}} Row */

const MOST_PAGES = 24; // in memory

/** Rows of the table as it is now. */
export const total = signal(0);
/** Runs of the filter, also when they are folded into groups. */
export const runTotal = signal(0);
export const groupTotal = signal(0);
/** Ticks when a row has changed. */
export const version = signal(0);
export const isLoading = signal(false);
/** What the server said to the present question. @type {import("@preact/signals").Signal<api.ApiError | null>} */
export const failure = signal(/** @type {api.ApiError | null} */ (null));
/** Ids of the groups that are unfolded. @type {import("@preact/signals").Signal<ReadonlySet<string>>} */
export const open = signal(/** @type {ReadonlySet<string>} */ (new Set()));

const asked = computed(() => {
  const columns = choice.value;
  return {
    project: project.value,
    query: query.value,
    sort: sortedBy(sort.value),
    by: groupBy.value,
    metrics: keysOf(columns, "metric"),
    statistics: groupBy.value ? statisticsOf(columns) : [],
    config: keysOf(columns, "config"),
  };
});

/** @type {Row} always the same, so that a row that stays without a run is not drawn again */
const BLANK = { kind: "blank", id: "" };

class Source {
  /** @param {typeof asked.value} question */
  constructor(question) {
    this.question = question;
    /** @type {Map<number, (Run | Group)[]>} */
    this.pages = new Map();
    this.total = 0;
    /** @type {Set<number>} */
    this.pending = new Set();
    /** @type {Map<string, Run[]>} */
    this.children = new Map();
    this.isCounting = false;
    this.stop = new AbortController();
  }

  /** @param {number} index of a page */
  async load(index) {
    if (this.pending.has(index)) return;
    this.pending.add(index);
    const { project, query, sort, by, statistics } = this.question;
    const range = { offset: index * PAGE, limit: PAGE };
    try {
      if (by) {
        const found = await api.groups({ project, query, by, metrics: statistics, sort: groupSort(sort), ...range }, this.stop.signal);
        this.total = found.total;
        this.keep(index, found.groups);
        remember(found.groups.map((each) => [`g:${each.id}`, { label: each.label, runIds: each.run_ids }]));
      } else {
        const found = await api.runs(pageAsked(this.question, index), this.stop.signal);
        this.learnTotal(found.total, range.offset, found.runs.length);
        this.keep(index, found.runs.map(tidy));
        remember(found.runs.map((each) => [each.id, { label: each.name, runIds: [each.id], state: each.state }]));
      }
    } finally {
      this.pending.delete(index);
    }
  }

  /**
   * Counting the runs of a filter may take longer than finding a page of them, so that the rows do not wait for it.
   * @param {number | null} told null: not counted yet
   * @param {number} offset of the page
   * @param {number} length of the page; one that is not full is the last
   */
  learnTotal(told, offset, length) {
    if (told !== null) this.total = told;
    else if (length < PAGE && (length > 0 || offset === 0)) this.total = offset + length;
    else {
      this.total = Math.max(this.total, offset + length);
      this.countAll();
    }
  }

  async countAll() {
    if (this.isCounting) return;
    this.isCounting = true;
    const { project, query } = this.question;
    try {
      this.total = (await api.runs({ project, query, limit: 1, metrics: NO_KEY, config: NO_KEY }, this.stop.signal)).total ?? this.total;
      if (this === current) show();
    } catch {
      // the pages say what is wrong with the filter
    } finally {
      this.isCounting = false;
    }
  }

  /** What has not changed stays the same object, and is not drawn again. @param {number} index @param {(Run | Group)[]} rows */
  keep(index, rows) {
    const old = new Map((this.pages.get(index) ?? []).map((row) => [row.id, row]));
    this.pages.set(
      index,
      rows.map((row) => {
        const before = old.get(row.id);
        return before && JSON.stringify(before) === JSON.stringify(row) ? before : row;
      }),
    );
    this.forgetFar();
  }

  /** Pages far from what is looked at: the whole of 100,000 runs would be 100 MB. Groups stay, for their members. */
  forgetFar() {
    if (this.question.by || this.pages.size <= MOST_PAGES) return;
    const middle = (visible.first + visible.last) / 2 / PAGE;
    const far = [...this.pages.keys()].sort((a, b) => Math.abs(b - middle) - Math.abs(a - middle));
    for (const index of far.slice(0, this.pages.size - MOST_PAGES)) this.pages.delete(index);
  }

  /** @param {string} groupId */
  async loadChildren(groupId) {
    const group = this.groups().find(([, each]) => each.id === groupId)?.[1];
    if (!group) return;
    const runs = await this.ask(group.run_ids);
    runs.sort((a, b) => (a.seed ?? 0) - (b.seed ?? 0) || a.name.localeCompare(b.name));
    this.children.set(groupId, runs);
    remember(runs.map((each) => [each.id, { label: each.name, runIds: [each.id], state: each.state }]));
  }

  /** @param {readonly string[]} ids @returns {Promise<Run[]>} */
  async ask(ids) {
    const { project, metrics, config } = this.question;
    const found = [];
    for (let i = 0; i < ids.length; i += PAGE) {
      const query = `id in [${ids.slice(i, i + PAGE).map((id) => JSON.stringify(id)).join(", ")}]`;
      found.push(...(await api.runs({ project, query, metrics, config, count: false, limit: PAGE }, this.stop.signal)).runs);
    }
    return found.map(tidy);
  }

  /** @returns {[number, Group][]} the groups that are known, with their place */
  groups() {
    if (!this.question.by) return [];
    return [...this.pages].flatMap(([page, rows]) => rows.map((row, i) => /** @type {[number, Group]} */ ([page * PAGE + i, /** @type {Group} */ (row)])));
  }

  /** The unfolded groups, in order, each with the rows that it adds. */
  unfolded() {
    const ids = open.peek();
    if (ids.size === 0) return [];
    return this.groups()
      .filter(([, group]) => ids.has(group.id))
      .sort((a, b) => a[0] - b[0])
      .map(([at, group]) => ({ at, group, runs: this.children.get(group.id) ?? [] }));
  }

  /** @param {number} index @returns {Row} */
  at(index) {
    let shift = 0;
    for (const { at, group, runs } of this.unfolded()) {
      if (index <= at + shift) break;
      const inside = index - at - shift - 1;
      if (inside < runs.length) return { kind: "child", id: runs[inside].id, run: runs[inside] };
      shift += runs.length;
      void group;
    }
    const place = index - shift;
    const row = this.pages.get(Math.floor(place / PAGE))?.[place % PAGE];
    if (!row) return BLANK;
    if (!this.question.by) return { kind: "run", id: row.id, run: /** @type {Run} */ (row) };
    return { kind: "group", id: `g:${row.id}`, group: /** @type {Group} */ (row), isOpen: open.peek().has(row.id) };
  }

  /** All rows with the unfolded ones. */
  count() {
    return this.unfolded().reduce((sum, each) => sum + each.runs.length, this.total);
  }

  /** @param {string} id @param {Run} run */
  replace(id, run) {
    for (const rows of [...this.pages.values(), ...this.children.values()]) {
      const at = rows.findIndex((each) => each.id === id);
      if (at >= 0) rows[at] = run;
    }
  }

  /** @param {string} id */
  has(id) {
    return [...this.pages.values(), ...this.children.values()].some((rows) => rows.some((each) => each.id === id));
  }
}

/** @param {string} key */
const groupSort = (key) => (key === "-created_at" ? "" : key);
/** @param {Run} run */
const tidy = (run) => ({ ...run, summary: run.summary ?? /** @type {any} */ (run).metrics ?? {} });

let current = new Source(asked.peek());
let visible = { first: 0, last: 40 };

function show() {
  batch(() => {
    total.value = current.count();
    if (current.question.by) groupTotal.value = current.total;
    else runTotal.value = current.total;
    version.value++;
  });
}

/** @param {number} index @returns {Row} */
export const rowAt = (index) => current.at(index);

/** Whether the rows shown are groups; not yet `groupBy` while those are loading. */
export const isGrouped = () => current.question.by !== "";

const LANDED_MS = 50;
/** @type {number | undefined} */
let landing;

/** Says which rows are looked at. Those that fly past faster than anybody reads are not asked for. @param {number} first @param {number} last */
export function look(first, last) {
  const isFlying = visible.last > visible.first && (first > visible.last || last < visible.first);
  visible = { first, last };
  clearTimeout(landing);
  if (isFlying) landing = setTimeout(loadVisible, LANDED_MS);
  else loadVisible();
}

function loadVisible() {
  const source = current;
  if (!source.question.project) return; // the rows of the first question are on their way
  for (const index of pagesOf(source)) {
    if (!source.pages.has(index) && !source.pending.has(index)) source.load(index).then(show, complain);
  }
}

/** @param {Source} source */
function pagesOf(source) {
  const extra = source.unfolded().reduce((sum, each) => sum + each.runs.length, 0);
  const first = Math.max(0, Math.floor((visible.first - extra) / PAGE));
  const last = Math.floor(Math.max(0, Math.min(visible.last, source.total - 1)) / PAGE);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** @param {any} error */
function complain(error) {
  if (error.name === "AbortError") return;
  failure.value = error instanceof api.ApiError ? error : new api.ApiError(String(error.message ?? error), 0);
  isLoading.value = false;
}

/** Folds or unfolds a group. @param {string} groupId */
export async function unfold(groupId) {
  const next = new Set(open.peek());
  if (next.delete(groupId)) {
    open.value = next;
    show();
    return;
  }
  try {
    if (!current.children.has(groupId)) await current.loadChildren(groupId);
    open.value = new Set(open.peek()).add(groupId);
    show();
  } catch (error) {
    complain(error);
  }
}

/** Runs whose groups are to be selected once there are groups. @type {readonly string[]} */
let carried = [];

/** @param {readonly string[]} runs */
export const carry = (runs) => void (carried = runs);

function selectCarried() {
  const wanted = new Set(carried);
  carried = [];
  const found = current.groups().filter(([, group]) => group.run_ids.some((id) => wanted.has(id)));
  if (found.length) select(found.map(([, group]) => `g:${group.id}`));
}

/** Puts a changed run into the rows at once, before the server tells. @param {Run} run */
export function patch(run) {
  const old = find(run.id);
  current.replace(run.id, tidy({ ...old, ...run, summary: old?.summary ?? run.summary, config: old?.config ?? run.config }));
  remember([[run.id, { label: run.name, runIds: [run.id], state: run.state }]]);
  show();
}

/** @param {string} id @returns {Run | undefined} */
export function find(id) {
  for (const rows of [...current.pages.values(), ...current.children.values()]) {
    const found = rows.find((each) => each.id === id);
    if (found && "state" in found) return /** @type {Run} */ (found);
  }
  return undefined;
}

/** The best value of each metric column among the rows that are loaded, to mark it. @param {readonly import("./types.js").Column[]} columns */
export function bestLoaded(columns) {
  /** @type {Record<string, number>} */
  const best = {};
  for (const { id, kind, key, statistic = "last" } of columns) {
    if (kind !== "metric" || statistic === "last") continue;
    const sign = statistic === "max" ? 1 : -1;
    for (const rows of current.pages.values()) {
      for (const row of rows) {
        const value = "run_ids" in row ? /** @type {Group} */ (row).metrics[`${key}.${statistic}`]?.mean : /** @type {any} */ (row).summary[key]?.[statistic];
        if (value !== null && value !== undefined && (!(id in best) || sign * value > sign * best[id])) best[id] = value;
      }
    }
  }
  return best;
}

/**
 * The runs or groups of the filter as the table has them, page by page; for CSV, and to select them.
 * @param {(done: number) => void} onProgress
 * @param {number} [most]
 */
export async function everything(onProgress, most = Infinity) {
  const { project, query, sort, by, metrics, statistics, config } = asked.peek();
  const rows = /** @type {(Run | Group)[]} */ ([]);
  for (let offset = 0; ; offset += 500) {
    const range = { offset, limit: 500 };
    const found = by ? await api.groups({ project, query, by, metrics: statistics, sort: groupSort(sort), ...range }) : await api.runs({ project, query, sort, metrics, config, ...range });
    const got = "groups" in found ? found.groups : found.runs.map(tidy);
    rows.push(...got);
    onProgress(rows.length);
    if (got.length === 0 || rows.length >= Math.min(found.total ?? Infinity, most)) return rows.slice(0, most);
  }
}

/** Selects what the filter found, the first `most` of it. @param {number} most @returns {Promise<number>} how many that are */
export async function selectAll(most) {
  const rows = await everything(() => {}, most);
  const entries = rows.map((row) => /** @type {[string, import("./state.js").Seen]} */ ("run_ids" in row ? [`g:${row.id}`, { label: row.label, runIds: row.run_ids }] : [row.id, { label: row.name, runIds: [row.id], state: row.state }]));
  remember(entries);
  select(entries.map(([id]) => id));
  return entries.length;
}

const AGAIN_MS = 1500;
let lastLook = 0;
/** @type {number | undefined} */
let timer;

/** Asks again for what is looked at, soon, and not too often. */
export function reload(wait = AGAIN_MS) {
  if (timer !== undefined) return;
  timer = setTimeout(again, Math.max(0, lastLook + wait - Date.now()));
}

async function again() {
  timer = undefined;
  lastLook = Date.now();
  const source = current;
  if (!source.question.project) return; // the first rows are on their way
  const pages = pagesOf(source);
  try {
    await Promise.all(pages.map((index) => source.load(index)));
    for (const id of open.peek()) if (source.children.has(id)) await source.loadChildren(id);
    for (const index of [...source.pages.keys()]) if (!pages.includes(index)) source.pages.delete(index);
    failure.value = null;
  } catch (error) {
    complain(error);
  }
  if (source === current) show();
  if (source.question.by) countRuns(source.question);
}

/** @param {typeof asked.value} question */
async function countRuns({ project, query }) {
  try {
    runTotal.value = (await api.runs({ project, query, limit: 1, metrics: NO_KEY, config: NO_KEY })).total ?? runTotal.peek();
  } catch {
    // the groups have asked the same filter and said what is wrong
  }
}

/** @param {readonly string[]} ids */
async function refresh(ids) {
  const source = current;
  const mine = ids.filter((id) => source.has(id));
  if (mine.length) {
    const runs = await source.ask(mine.slice(0, PAGE));
    for (const run of runs) source.replace(run.id, run);
    remember(runs.map((each) => [each.id, { label: each.name, runIds: [each.id], state: each.state }]));
    if (source === current) show();
    if (runs.length < Math.min(mine.length, PAGE)) reload(0);
  }
  const { sort, query, by } = source.question;
  const isSteady = !by && query === "" && /^-?(created_at|name|config\.|seed|id)/.test(sort);
  if (!isSteady || mine.length < ids.length) reload();
}

/** Ties rows to the question and to the stream of changes; called once. */
export function startRows() {
  /** @type {Source | null} */
  let coming = null;
  let text = "";
  effect(() => {
    const question = asked.value;
    if (!question.project || page.value !== "project" || offered.value === null) return;
    const next = JSON.stringify(question);
    if (next === text) return;
    text = next;
    coming?.stop.abort();
    const source = new Source(question);
    coming = source;
    isLoading.value = true;
    const isSame = question.project === current.question.project && question.query === current.question.query && question.sort === current.question.sort && question.by === current.question.by;
    source.total = isSame ? current.total : 0;
    const first = isSame ? pagesOf(source) : [0];
    if (question.by !== current.question.by || question.project !== current.question.project) open.value = new Set();
    (async () => {
      try {
        await Promise.all(first.map((index) => source.load(index)));
        for (const id of open.peek()) await source.loadChildren(id);
        if (coming !== source) return;
        current = source;
        batch(() => {
          failure.value = null;
          isLoading.value = false;
          show();
          if (question.by && carried.length) selectCarried();
        });
        if (question.by) countRuns(question);
      } catch (error) {
        if (coming === source) {
          text = "";
          complain(error);
        }
      }
    })();
  });
  effect(() => {
    const { runs, everything } = changed.value;
    if (page.peek() !== "project") return;
    if (everything) reload(0);
    else if (runs.length) refresh(runs).catch(complain);
  });
}
