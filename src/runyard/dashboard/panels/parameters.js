import { computed, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";

import * as api from "../api.js";
import { axisOf, conditionOf } from "../charts/axes.js";
import { ImportanceList } from "../charts/importance-list.js";
import { importances, ranks } from "../charts/importance.js";
import { Parallel } from "../charts/parallel.js";
import { Scatter } from "../charts/scatter.js";
import { configField } from "../columns.js";
import { html } from "../html.js";
import { param, project, query, setParam } from "../state.js";
import { AxisChoice } from "./axis-choice.js";
import { flatten } from "./flatten.js";
import { headline, metricKeys, statistic } from "./headline.js";

/** @import {Run} from "../types.js" */

const MOST_RUNS = 2000;
const PAGE = 500;
const MOST_AXES = 9;

/** What was brushed, by axis, and the filter without it. Kept here, so that another tab does not forget it. */
const brushes = signal(/** @type {Record<string, [number, number]>} */ ({}));
const base = signal("");
let ours = ""; // the filter that the brushes made

/** The filter of the runs that are drawn: a filter that a person writes replaces the brushes. */
const wanted = computed(() => (query.value === ours && Object.keys(brushes.value).length ? base.value : query.value));

/** Which settings matter: parallel coordinates, one setting against the metric, and how much goes with each. */
export default function ParametersPanel() {
  const runs = useSignal(/** @type {Run[] | null} */ (null));
  const total = useSignal(0);
  const problem = useSignal("");
  const keys = useSignal(/** @type {string[]} */ ([])); // by which the runs differ

  useSignalEffect(() => {
    if (query.value === ours || !Object.keys(brushes.peek()).length) return;
    brushes.value = {};
  });
  useSignalEffect(() => {
    const asked = { project: project.value, query: wanted.value, metrics: [headline.value || "-"] };
    if (!asked.project) return;
    const stop = new AbortController();
    readAll(asked, stop.signal).then(
      (found) => {
        problem.value = "";
        keys.value = found.keys;
        total.value = found.total;
        runs.value = found.runs;
      },
      (error) => stop.signal.aborted || (problem.value = error.message),
    );
    return () => stop.abort();
  });
  const table = useComputed(() =>
    (runs.value ?? []).map((run) => ({ id: run.id, name: run.name, config: Object.fromEntries(flatten(run.config)), value: run.summary[headline.value]?.[statistic.value] ?? NaN })),
  );
  const found = useComputed(() => importances(table.value, keys.value));
  const axes = useComputed(() => {
    const order = new Map(found.value.map((each, i) => [each.key, i]));
    const own = [...keys.value].sort((a, b) => (order.get(a) ?? 99) - (order.get(b) ?? 99)).slice(0, MOST_AXES);
    const settings = own.map((key) => axisOf(key, table.value.map((run) => run.config[key])));
    return headline.value && settings.length ? [...settings, axisOf(headline.value, table.value.map((run) => run.value), true)] : settings;
  });
  const threads = useComputed(() => {
    const judged = table.value.filter((run) => Number.isFinite(run.value));
    const order = ranks(judged.map((run) => run.value));
    const shades = new Map(judged.map((run, i) => [run.id, order[i] / Math.max(judged.length - 1, 1)]));
    return table.value.map((run) => {
      const places = axes.value.map((axis) => axis.place(axis.isMetric ? run.value : run.config[axis.key]));
      const isIn = axes.value.every((axis, i) => !brushes.value[axis.key] || (places[i] >= brushes.value[axis.key][0] && places[i] <= brushes.value[axis.key][1]));
      const share = shades.get(run.id) ?? NaN;
      return { id: run.id, name: run.name, places, shade: statistic.value === "min" ? 1 - share : share, isIn };
    });
  });

  if (runs.value !== null && !axes.value.length) return html`<div class="panel-body"><p class="panel-empty">The runs of this filter have the same settings, but for their seeds.</p></div>`;
  const brush = (/** @type {string} */ key, /** @type {[number, number] | null} */ range) => {
    const { [key]: _, ...rest } = brushes.peek();
    if (!Object.keys(brushes.peek()).length) base.value = query.peek();
    /** @type {Record<string, [number, number]>} */
    const next = range ? { ...rest, [key]: range } : rest;
    const conditions = axes.peek().flatMap((axis) => {
      if (!next[axis.key]) return [];
      const field = axis.isMetric ? `metric[${JSON.stringify(axis.key)}].${statistic.peek()}` : configField(axis.key);
      const condition = conditionOf(axis, next[axis.key], table.peek().map((run) => (axis.isMetric ? run.value : run.config[axis.key])), field);
      if (!condition) delete next[axis.key]; // no run lies there
      return condition ? [condition] : [];
    });
    const old = base.peek().trim();
    ours = [old && conditions.length && /\bor\b/.test(old) ? `(${old})` : old, ...conditions].filter(Boolean).join(" and ");
    brushes.value = next;
    query.value = ours;
  };
  const clear = () => {
    const old = base.peek();
    brushes.value = {};
    query.value = ours = old;
  };
  const metric = axes.value.find((axis) => axis.isMetric);
  const wishedKey = param("against");
  const against = axes.value.find((axis) => axis.key === wishedKey && !axis.isMetric) ?? axes.value.find((axis) => !axis.isMetric);
  const count = threads.value.filter((thread) => thread.isIn).length;
  const isIn = new Map(threads.value.map((thread) => [thread.id, thread.isIn]));
  return html`<div class="panel-body panel-parameters">
    <div class="panel-tools">
      <${AxisChoice} label="metric" value=${headline.value} keys=${metricKeys.value} onChoose=${(/** @type {string} */ key) => setParam("by", key)} />
      <span class="faint">${statistic.value}</span>
      <span class="spring"></span>
      <span class="faint">${count} of ${table.value.length} runs${total.value > table.value.length ? `, the latest of ${total.value}` : ""}</span>
      ${Object.keys(brushes.value).length > 0 && html`<button class="quiet" onClick=${clear}>clear brushes</button>`}
    </div>
    ${problem.value && html`<p class="panel-problem" role="alert">${problem.value}</p>`}
    <section class="box"><${Parallel} axes=${axes.value} threads=${threads.value} brushes=${brushes.value} onBrush=${brush} />
      <p class="panel-hint">Drag along an axis to keep the runs in that part; the table follows. A click on the axis takes it back.</p></section>
    <div class="parameters-below">
      <section class="box"><h3>What ${headline.value || "the metric"} goes with</h3>
        <${ImportanceList} found=${found.value} metric=${headline.value} chosen=${against?.key ?? ""} onChoose=${(/** @type {string} */ key) => setParam("against", key)} /></section>
      ${metric && against && html`<section class="box"><h3>${metric.key} by ${against.key}</h3>
        <${Scatter} x=${against} y=${metric} points=${table.value.map((run) => ({ id: run.id, name: run.name, x: run.config[against.key], y: run.value, isIn: isIn.get(run.id) ?? true }))} /></section>`}
    </div>
  </div>`;
}

/**
 * @param {{project: string, query: string, metrics: string[]}} asked
 * @param {AbortSignal} signal
 */
async function readAll(asked, signal) {
  const { config } = await api.columns(asked.project, asked.query, signal);
  const keys = config.filter((each) => each.distinct > 1 && each.key !== "seed").map((each) => each.key);
  const runs = /** @type {Run[]} */ ([]);
  for (;;) {
    const page = await api.runs({ ...asked, config: keys.length ? keys : ["-"], offset: runs.length, limit: PAGE }, signal);
    runs.push(...page.runs);
    if (runs.length >= Math.min(page.total ?? 0, MOST_RUNS) || !page.runs.length) return { runs, keys, total: page.total ?? runs.length };
  }
}
