import { useComputed, useSignal, useSignalEffect } from "@preact/signals";

import * as api from "../api.js";
import { shown } from "../charts/shown.js";
import { LongName } from "../components/long-name.js";
import { html } from "../html.js";
import { changed, hover, param, setParam } from "../state.js";
import { DiffSection } from "./diff-section.js";
import { flatten } from "./flatten.js";

/** @import {DiffRow} from "../types.js" */

const SECTIONS = ["config", "metrics", "data", "code", "packages", "environment", "output"];
const MOST_RUNS = 12; // side by side; more cannot be read
const AGAIN_MS = 3000; // metrics of running runs move this often

/** What tells the selected runs apart. The base stands at the left, the others are compared with it. */
export default function DiffPanel() {
  const found = useSignal(/** @type {Record<string, readonly DiffRow[] | null>} */ ({}));
  const problems = useSignal(/** @type {Record<string, string>} */ ({}));
  const hidesEqual = param("same") !== "show";
  const columns = useComputed(() => columnsOf(shown.value, param("base")));
  const asked = useComputed(() => columns.value.map((column) => column.run).join());

  useSignalEffect(() => {
    const runs = asked.value ? asked.value.split(",") : [];
    found.value = {};
    problems.value = {};
    if (runs.length < 2) return;
    const stop = new AbortController();
    const isWhole = param("same") === "show";
    const load = (/** @type {string} */ section) =>
      rowsOf(runs, section, { isWhole, signal: stop.signal }).then(
        (rows) => (found.value = { ...found.peek(), [section]: rows }),
        (error) => stop.signal.aborted || (problems.value = { ...problems.peek(), [section]: error.message }),
      );
    SECTIONS.forEach(load);
    let last = performance.now();
    let isFirst = true;
    const listening = changed.subscribe(({ runs: moved, everything }) => {
      const isOurs = !isFirst && (everything || moved.some((run) => runs.includes(run)));
      isFirst = false;
      if (!isOurs || performance.now() - last < AGAIN_MS) return;
      last = performance.now();
      load("metrics");
    });
    return () => {
      stop.abort();
      listening();
    };
  });

  const many = columns.value;
  if (many.length < 2) return html`<div class="panel-body"><p class="panel-empty">Select two runs or more in the table to see what tells them apart.</p></div>`;
  const nameOf = (/** @type {string} */ id) => many.find((column) => column.run === id)?.label ?? id;
  const hidden = shown.value.length - many.length;
  const groups = many.some((column) => column.isGroup);
  const said = new Set(SECTIONS.map((section) => problems.value[section] ?? ""));
  const common = said.size === 1 ? [...said][0] : ""; // the server is away, say: once is enough
  return html`<div class="panel-body panel-diff" style=${{ "--columns": many.length }}>
    <div class="panel-tools">
      <label><input type="checkbox" checked=${hidesEqual} onChange=${() => setParam("same", hidesEqual ? "show" : "")} /> hide what is equal</label>
      ${hidden > 0 && html`<span class="faint">the first ${MOST_RUNS} of ${shown.value.length}</span>`}
      ${groups && html`<span class="faint">a group is shown by its first run</span>`}
    </div>
    <div class="diff-row diff-head">
      <div class="diff-key"></div>
      ${many.map(
        (column, i) => html`<button key=${column.run} class="diff-run" title=${i ? `Compare with ${column.label}` : "All others are compared with this one"} onClick=${() => setParam("base", column.id)} onPointerEnter=${() => hover(column.id)} onPointerLeave=${() => hover(null)}>
          <i class="swatch" style=${{ background: `var(--c${column.colour + 1})` }}></i><${LongName} text=${column.label} />${i === 0 && html`<small>base</small>`}
        </button>`,
      )}
    </div>
    ${common && html`<p class="panel-problem" role="alert">${common}</p>`}
    ${!common && SECTIONS.map((section) => html`<${DiffSection} key=${section} title=${section} rows=${found.value[section] ?? null} problem=${problems.value[section] ?? ""} hidesEqual=${hidesEqual} nameOf=${nameOf} />`)}
  </div>`;
}

/**
 * The server tells what differs; what is equal too is put together from the runs themselves.
 * @param {string[]} runs
 * @param {string} section
 * @param {{isWhole: boolean, signal: AbortSignal}} how
 * @returns {Promise<readonly DiffRow[]>}
 */
async function rowsOf(runs, section, { isWhole, signal }) {
  if (!isWhole || (section !== "config" && section !== "metrics")) return (await api.diff(runs, section, signal)).rows;
  const all = await Promise.all(runs.map((run) => api.run(run, signal)));
  const values = all.map((run) => (section === "config" ? flatten(run.config) : new Map(Object.entries(run.summary).filter(([key]) => !key.startsWith("sys/")).map(([key, metric]) => [key, metric.last]))));
  const keys = [...new Set(values.flatMap((own) => [...own.keys()]))].sort();
  return keys.map((key) => ({ key, values: values.map((own) => own.get(key) ?? null) }));
}

/**
 * A run of each thing shown, the base first.
 * @param {readonly import("../charts/shown.js").Shown[]} items
 * @param {string} base
 */
function columnsOf(items, base) {
  const columns = items.filter((item) => item.runIds.length).map((item) => ({ id: item.id, run: item.runIds[0], label: item.label, colour: item.colour, isGroup: item.isGroup }));
  const first = columns.find((column) => column.id === base);
  return (first ? [first, ...columns.filter((column) => column !== first)] : columns).slice(0, MOST_RUNS);
}
