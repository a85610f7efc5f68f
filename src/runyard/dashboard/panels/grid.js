import { useComputed, useSignal, useSignalEffect } from "@preact/signals";

import { act } from "../actions.js";
import * as api from "../api.js";
import { offered } from "../columns.js";
import { number, setting } from "../format.js";
import { html } from "../html.js";
import { mayChange } from "../session.js";
import { changed, groupBy, param, project, query, remember, select, selection, setParam, toggle } from "../state.js";
import { AxisChoice } from "./axis-choice.js";
import { GridCell } from "./grid-cell.js";
import { GridHole } from "./grid-hole.js";
import { GridPlan } from "./grid-plan.js";
import { differingKeys, headline, metricKeys, statistic } from "./headline.js";

/** @import {Group} from "../types.js" */

const MOST_GROUPS = 500;
const MOST_FAILED = 500;
const MOST_VALUES = 40; // on an axis
const MOST_PICKED = 500; // points in one question to the server
const AGAIN_MS = 3000;
const NO_KEY = ["-"]; // an absent list would mean all keys

/** The runs of the filter as a matrix: two settings as its axes, a third as its pages. */
export default function GridPanel() {
  const groups = useSignal(/** @type {Group[] | null} */ (null));
  const failed = useSignal(/** @type {ReadonlySet<string>} */ (new Set()));
  const problem = useSignal("");
  const tick = useSignal(0);
  const picked = useSignal(/** @type {readonly Record<string, unknown>[]} */ ([]));
  const axes = useComputed(() => axesOf(differingKeys.value, [param("across"), param("down"), param("pages")]));
  const by = useComputed(() => [axes.value.down, axes.value.across, axes.value.pages].filter(Boolean).join());

  useSignalEffect(() => {
    by.value; // another grid: what was picked in the old one means nothing
    project.value;
    query.value;
    picked.value = [];
  });
  useSignalEffect(() => {
    let last = 0;
    let timer = 0;
    const listening = changed.subscribe(() => {
      if (timer) return;
      timer = window.setTimeout(() => {
        timer = 0;
        last = performance.now();
        tick.value += 1;
      }, Math.max(AGAIN_MS - (performance.now() - last), 0));
    });
    return () => {
      clearTimeout(timer);
      listening();
    };
  });
  useSignalEffect(() => {
    tick.value;
    const asked = { project: project.value, query: query.value, by: by.value };
    const metric = headline.value ? `${headline.value}.${statistic.value}` : "-";
    if (!asked.by) {
      groups.value = null;
      return;
    }
    const stop = new AbortController();
    const isFailed = 'state in ["FAILED", "OUT_OF_MEMORY", "TIMED_OUT", "INTERRUPTED", "LOST"]';
    Promise.all([
      api.groups({ ...asked, metrics: [metric], limit: MOST_GROUPS }, stop.signal),
      api.runs({ project: asked.project, query: asked.query ? `(${asked.query}) and ${isFailed}` : isFailed, metrics: NO_KEY, config: NO_KEY, limit: MOST_FAILED }, stop.signal),
    ]).then(
      ([found, bad]) => {
        problem.value = "";
        remember(found.groups.map((group) => [`g:${group.id}`, { label: group.label, runIds: group.run_ids }]));
        failed.value = new Set(bad.runs.map((run) => run.id));
        groups.value = found.groups;
      },
      (error) => stop.signal.aborted || (problem.value = error.message),
    );
    return () => stop.abort();
  });

  const { down, across, pages } = axes.value;
  const keys = differingKeys.value;
  if (offered.value && !keys.length) return html`<div class="panel-body"><p class="panel-empty">The runs of this filter have the same settings, but for their seeds: there is no grid to show.</p></div>`;
  const cells = (groups.value ?? []).map((group) => ({ group, spread: group.metrics[`${headline.value}.${statistic.value}`] ?? null }));
  const means = cells.flatMap(({ spread }) => (spread ? [spread.mean ?? NaN] : [])).filter(Number.isFinite);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const isLowBest = statistic.value === "min";
  const best = means.length ? (isLowBest ? low : high) : NaN;
  const shade = (/** @type {number} */ mean) => (high > low ? (isLowBest ? (high - mean) / (high - low) : (mean - low) / (high - low)) : 0.5);
  const faces = pages ? valuesOf(groups.value ?? [], pages) : [undefined];
  const columns = valuesOf(groups.value ?? [], across);
  const rows = down ? valuesOf(groups.value ?? [], down) : [undefined];
  const heads = new Map([...headsOf(columns), ...headsOf(rows)]);
  const found = new Map(cells.map((cell) => [placeOf([across, down, pages].filter(Boolean).map((key) => cell.group.config[key])), cell]));
  const holes = faces.flatMap((face) => rows.slice(0, MOST_VALUES).flatMap((row) => columns.slice(0, MOST_VALUES).map((column) => pointOf({ across, down, pages }, column, row, face)))).filter((point) => !found.has(placeOf(Object.values(point))));
  const isPicked = (/** @type {Record<string, unknown>} */ point) => picked.value.some((each) => same(each, point));
  const pick = (/** @type {Record<string, unknown>} */ point) => (picked.value = isPicked(point) ? picked.value.filter((each) => !same(each, point)) : [...picked.value, point]);
  const choose = (/** @type {Group} */ group) => {
    if (groupBy.peek() === by.value) return toggle(`g:${group.id}`);
    groupBy.value = by.value; // so that the table shows the same groups
    select([`g:${group.id}`]);
  };
  return html`<div class="panel-body panel-grid">
    <div class="panel-tools">
      <${AxisChoice} label="metric" value=${headline.value} keys=${metricKeys.value} onChoose=${(/** @type {string} */ key) => setParam("by", key)} />
      <span class="faint">${statistic.value}</span>
      <${AxisChoice} label="across" value=${across} keys=${keys} onChoose=${(/** @type {string} */ key) => setParam("across", key)} />
      ${keys.length > 1 && html`<${AxisChoice} label="down" value=${down} keys=${keys.filter((key) => key !== across)} onChoose=${(/** @type {string} */ key) => setParam("down", key)} />`}
      ${keys.length > 2 && html`<${AxisChoice} label="pages" value=${pages} keys=${keys.filter((key) => key !== across && key !== down)} none="all together" onChoose=${(/** @type {string} */ key) => setParam("pages", key || "-")} />`}
      <span class="spring"></span>
      ${holes.length > 0 && groups.value && mayChange.value && html`<button class="button" onClick=${() => (picked.value = picked.value.length ? [] : holes.slice(0, MOST_PICKED))}>${picked.value.length ? "Pick none" : `Pick all ${holes.length} missing`}</button>`}
      ${Number.isFinite(best) && html`<span>best <b>${number(best)}</b></span>`}
    </div>
    ${problem.value && html`<p class="panel-problem" role="alert">${problem.value}</p>`}
    <${GridPlan} points=${picked} onDone=${() => (picked.value = [])} />
    ${columns.length > MOST_VALUES || rows.length > MOST_VALUES ? html`<p class="panel-hint">Only the first ${MOST_VALUES} values of an axis are shown.</p>` : ""}
    <div class="grid-pages">
      ${faces.map(
        (face, i) => html`<section key=${i}>
          ${pages && html`<h3>${pages} <b>${setting(face)}</b></h3>`}
          <table class="grid-matrix">
            <thead><tr><th class="grid-corner">${down ? `${tail(down)} \\ ` : ""}${tail(across)}</th>${columns.slice(0, MOST_VALUES).map((value) => html`<th scope="col" title=${setting(value)}>${heads.get(value)}</th>`)}</tr></thead>
            <tbody>
              ${rows.slice(0, MOST_VALUES).map(
                (row) => html`<tr>
                  <th scope="row" title=${setting(row)}>${heads.get(row)}</th>
                  ${columns.slice(0, MOST_VALUES).map((column) => {
                    const point = pointOf({ across, down, pages }, column, row, face);
                    const cell = found.get(placeOf(Object.values(point)));
                    if (!cell) return html`<td><${GridHole} label=${labelOf(point)} isPicked=${isPicked(point)} onPick=${() => pick(point)} /></td>`;
                    const mean = cell.spread?.mean ?? NaN;
                    return html`<td><${GridCell} group=${cell.group} spread=${cell.spread} shade=${shade(mean)} isBest=${mean === best} isSelected=${selection.value.includes(`g:${cell.group.id}`)} failed=${cell.group.run_ids.filter((id) => failed.value.has(id))} onChoose=${() => choose(cell.group)} onRetry=${(/** @type {string[]} */ ids) => act("retry", ids)} /></td>`;
                  })}
                </tr>`,
              )}
            </tbody>
          </table>
        </section>`,
      )}
    </div>
    <p class="panel-hint">Mean ± standard deviation of all runs of a cell; the more colour, the better. A click selects the cell: its curves are in the charts.${holes.length && mayChange.value ? " A click on + picks a point that was never queued." : ""}</p>
  </div>`;
}

/**
 * Wished axes if the runs differ by them, else the first keys that do.
 * @param {readonly string[]} keys
 * @param {string[]} wished across, down, pages
 */
function axesOf(keys, [across, down, pages]) {
  const first = keys.includes(across) ? across : (keys[0] ?? "");
  const rest = keys.filter((key) => key !== first);
  const second = rest.includes(down) ? down : (rest[0] ?? "");
  const others = rest.filter((key) => key !== second);
  const third = others.includes(pages) ? pages : pages === "-" ? "" : others.length === 1 ? others[0] : "";
  return { across: first, down: second, pages: third };
}

/**
 * @param {readonly Group[]} groups
 * @param {string} key
 */
function valuesOf(groups, key) {
  const values = new Map(groups.map((group) => [JSON.stringify(group.config[key] ?? null), group.config[key]]));
  return [...values.values()].sort((a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1));
}

/**
 * @param {{across: string, down: string, pages: string}} axes
 * @param {unknown} column
 * @param {unknown} row
 * @param {unknown} face
 * @returns {Record<string, unknown>} settings in the order across, down, pages
 */
function pointOf({ across, down, pages }, column, row, face) {
  return Object.fromEntries([[across, column], [down, row], [pages, face]].filter(([key]) => key));
}

/** @param {readonly unknown[]} values */
const placeOf = (values) => JSON.stringify(values.map((value) => value ?? null));

/**
 * Values as the heads of rows and columns: as short as they still differ.
 * @param {readonly unknown[]} values
 * @returns {[unknown, string][]}
 */
function headsOf(values) {
  const texts = values.map(setting);
  const brief = values.map((value, i) => (typeof value === "number" && number(value).length < texts[i].length ? number(value) : texts[i]));
  return values.map((value, i) => [value, new Set(brief).size === values.length ? brief[i] : texts[i]]);
}

/** @param {Record<string, unknown>} point */
const labelOf = (point) => Object.entries(point).map(([key, value]) => `${tail(key)}=${setting(value)}`).join(", ");

/** @param {unknown} a @param {unknown} b */
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/** The last part of a dotted key. @param {string} key */
const tail = (key) => key.slice(key.lastIndexOf(".") + 1);
