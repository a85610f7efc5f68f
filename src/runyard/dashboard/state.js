/**
 * What the page shows, as signals, and the same in the URL: a pasted link shows what its sender saw.
 * Components read signals; only the functions here write the URL.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import { assign, assigned } from "./colours.js";
import { placeOf, SPLIT } from "./place.js";

/** @import {Project, Changed, ColumnChoice, Item, Hover, Machine, Queue} from "./types.js" */
/** @template T @typedef {import("@preact/signals").Signal<T>} Signal */

/** Which page: "project", "queue", "morning", "projects", "disk", "screen", "account" or "admin". @type {Signal<string>} */
export const page = signal("project");
/** The project on the project page; "" until projects are known. @type {Signal<string>} */
export const project = signal("");
/** A run whose project is not known yet, as in a link to it; else "". @type {Signal<string>} */
export const sought = signal("");
/** The filter, in the query language. @type {Signal<string>} */
export const query = signal("");
/** As the API takes it: `-created_at`, `config.optim.lr`, `-metric:val/accuracy.max`. @type {Signal<string>} */
export const sort = signal("");
/** "" (no groups), "all-but-seed", or config keys with commas. @type {Signal<string>} */
export const groupBy = signal("");
/** Ids of selected runs, and of selected groups with `g:` in front, in the order of selection. @type {Signal<readonly string[]>} */
export const selection = signal(/** @type {readonly string[]} */ ([]));
/** The run (or group) and step under the pointer, anywhere. @type {Signal<Hover | null>} */
export const hovered = signal(/** @type {Hover | null} */ (null));
/** The open panel. @type {Signal<string>} */
export const tab = signal("charts");
/** Share of the table in the width, 0 … 1; 1 is the table alone. @type {Signal<number>} */
export const split = signal(SPLIT);
/** Chosen columns in order; null: the default ones. @type {Signal<readonly ColumnChoice[] | null>} */
export const columns = signal(/** @type {readonly ColumnChoice[] | null} */ (null));
/** What panels keep in the URL for themselves (see `param`). @type {Signal<Readonly<Record<string, string>>>} */
export const params = signal({});

/** @type {Signal<readonly Project[] | null>} null: not yet known */
export const projects = signal(/** @type {readonly Project[] | null} */ (null));
/** @type {Signal<readonly Machine[]>} */
export const machines = signal(/** @type {readonly Machine[]} */ ([]));
/** @type {Signal<Queue | null>} */
export const queue = signal(/** @type {Queue | null} */ (null));
/** Whether the stream of changes is open. */
export const isLive = signal(false);
/** The latest change; panels watch it (`effect`, or `.value` in a component). @type {Signal<Changed>} */
export const changed = signal(/** @type {Changed} */ ({ runs: [], queue: false, machines: false }));
/** Ticks each 15 s, for ages. */
export const now = signal(Date.now());

/** "light", "dark", or "" as the system has it. */
export const theme = signal(localStorage.getItem("runyard-theme") ?? "");
let kept = theme.peek();
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(prefersDark.matches);
prefersDark.addEventListener("change", () => (systemIsDark.value = prefersDark.matches));
export const isDark = computed(() => (theme.value === "" ? systemIsDark.value : theme.value === "dark"));
effect(() => {
  document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
  if (theme.value !== kept) localStorage.setItem("runyard-theme", theme.value);
  kept = theme.value;
});

/** @typedef {{label: string, runIds: readonly string[], state?: string}} Seen */
/** Names and members of runs and groups that were seen, the latest last. @type {Map<string, Seen>} */
const known = new Map();
const MOST_KNOWN = 5000; // more than the table keeps; of those that scrolled by long ago nobody asks
/** Ticks when something of what is selected is known anew. */
const learnt = signal(0);

/** What a run or group was when it was last seen, for panels that label what is selected. @param {string} id @returns {Seen | undefined} */
export function seen(id) {
  void learnt.value;
  return known.get(id);
}

/** What is selected, ready to draw: a run is a group of one. */
export const items = computed(() =>
  selection.value.map((id) => {
    const isGroup = id.startsWith("g:");
    const last = seen(id);
    return /** @type {Item} */ ({ id, label: last?.label ?? (isGroup ? "…" : id), runIds: last?.runIds ?? (isGroup ? [] : [id]), isGroup, state: last?.state });
  }),
);
/** All run ids behind the selection, each once. */
export const selectedRuns = computed(() => [...new Set(items.value.flatMap((item) => item.runIds))]);
/** The project as the server describes it. */
export const projectInfo = computed(() => projects.value?.find((each) => each.name === project.value) ?? null);

/** @param {Iterable<[string, Seen]>} entries */
export function remember(entries) {
  const selected = new Set(selection.peek());
  let isNews = false;
  for (const [id, next] of entries) {
    const old = known.get(id);
    known.delete(id);
    known.set(id, next);
    const isSame = old && old.label === next.label && old.state === next.state && old.runIds.length === next.runIds.length;
    isNews ||= !isSame && selected.has(id);
  }
  if (known.size > 2 * MOST_KNOWN) {
    for (const id of [...known.keys()].slice(0, -MOST_KNOWN)) if (!selected.has(id)) known.delete(id);
  }
  if (isNews) learnt.value++;
}

/** @param {readonly string[]} ids */
export function select(ids) {
  batch(() => {
    assign(ids);
    selection.value = ids;
  });
}

/** @param {string} id */
export function toggle(id) {
  const old = selection.peek();
  select(old.includes(id) ? old.filter((each) => each !== id) : [...old, id]);
}

/** @param {string | null} run of a run or group @param {number | null} [step] */
export function hover(run, step = null) {
  const old = hovered.peek();
  if (old === null ? run === null : old.run === run && old.step === step) return;
  hovered.value = run === null ? null : { run, step };
}

/**
 * A text that a panel keeps in the URL, "" when absent.
 * @param {string} name short, unique among panels
 */
export const param = (name) => params.value[name] ?? "";

/** @param {string} name @param {string} value "" takes it out of the URL */
export function setParam(name, value) {
  const { [name]: _, ...rest } = params.peek();
  params.value = value === "" ? rest : { ...rest, [name]: value };
}

/** Filters, from a chart or a cell: adds a condition to the query. @param {string} condition */
export function narrow(condition) {
  const old = query.peek().trim();
  query.value = old ? `${/\bor\b/.test(old) ? `(${old})` : old} and ${condition}` : condition;
}

/** @param {string} name */
export function openProject(name) {
  if (name === project.peek() && page.peek() === "project") return;
  batch(() => {
    if (name !== project.peek()) forgetView();
    project.value = name;
    page.value = "project";
  });
}

function forgetView() {
  query.value = "";
  sort.value = "";
  groupBy.value = "";
  columns.value = null;
  params.value = {};
  select([]);
}

let isReading = false;

/** The URL of what is shown now. */
export function currentHash() {
  if (page.value !== "project") return `#/${page.value}`;
  const search = new URLSearchParams();
  if (query.value) search.set("q", query.value);
  if (sort.value) search.set("sort", sort.value);
  if (groupBy.value) search.set("group", groupBy.value);
  if (selection.value.length) search.set("sel", selection.value.map((id) => `${id}~${assigned.value.get(id) ?? 0}`).join(" "));
  if (tab.value !== "charts") search.set("tab", tab.value);
  if (split.value !== SPLIT) search.set("split", split.value.toFixed(3));
  if (columns.value) search.set("cols", JSON.stringify(columns.value.map((each) => [each.id, each.width ?? 0, each.isPinned ? 1 : 0])));
  for (const [name, value] of Object.entries(params.value)) search.set(name, value);
  const text = search.toString();
  return `#/p/${encodeURIComponent(project.value)}${text ? `?${text}` : ""}`;
}

function readUrl() {
  const place = placeOf(location.hash);
  isReading = true;
  batch(() => {
    page.value = place.page;
    sought.value = place.run.replace(/[^\w-]/g, "");
    if (place.run) {
      forgetView();
      project.value = "";
      query.value = `id == "${sought.value}"`;
      select([place.run]);
    }
    if (!place.view) return;
    project.value = place.view.project;
    query.value = place.view.query;
    sort.value = place.view.sort;
    groupBy.value = place.view.groupBy;
    tab.value = place.view.tab;
    split.value = place.view.split;
    columns.value = place.view.columns;
    params.value = place.view.params;
    assign(place.view.selection, place.view.colours);
    selection.value = place.view.selection;
  });
  isReading = false;
}

/** Whether the URL asked for a selection when the page was opened; else the table selects the first rows. */
export const startedWithSelection = /[?&]sel=/.test(location.hash) || /^#\/(run|experiments\/\d+\/runs)\//.test(location.hash);

let place = "";

/** Ties signals and URL together; called once. */
export function start() {
  readUrl();
  if (new URLSearchParams(location.search).get("screen") === "1" && location.hash === "") page.value = "screen";
  effect(() => {
    const hash = currentHash();
    if (isReading || hash === location.hash) return;
    const next = `${page.value}/${project.value}`;
    if (page.value === "project" && project.value === "") return;
    if (place && next !== place) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
    place = next;
  });
  window.addEventListener("popstate", readUrl);
  window.addEventListener("hashchange", readUrl);
  setInterval(() => (now.value = Date.now()), 15_000);
}
