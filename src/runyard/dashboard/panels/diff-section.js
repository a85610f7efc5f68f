import { useSignal } from "@preact/signals";

import { number, setting } from "../format.js";
import { html } from "../html.js";
import { DiffText } from "./diff-text.js";

/** @import {DiffRow} from "../types.js" */

/**
 * One kind of difference between the runs: values side by side, or texts compared line by line.
 * @param {object} props
 * @param {string} props.title
 * @param {readonly DiffRow[] | null} props.rows null while they are on their way
 * @param {string} props.problem
 * @param {boolean} props.hidesEqual
 * @param {(id: string) => string} props.nameOf
 */
export function DiffSection({ title, rows, problem, hidesEqual, nameOf }) {
  const isShut = useSignal(false);
  const all = rows ?? [];
  const shown = hidesEqual ? all.filter((row) => !row.values?.length || !isEqual(row.values)) : all;
  const equal = all.length - shown.length;
  return html`<section class="diff-section">
    <button class="section-head" aria-expanded=${!isShut.value} onClick=${() => (isShut.value = !isShut.value)}>
      <i></i>${title} <span class="faint">${rows === null ? "" : shown.length || "no difference"}${equal ? ` · ${equal} equal` : ""}</span>
    </button>
    ${problem && html`<p class="panel-problem" role="alert">${problem}</p>`}
    ${!isShut.value && shown.map((row, i) => (row.values?.length ? html`<${ValueRow} key=${row.key} row=${row} hasChanges=${title === "metrics"} />` : html`<${TextRow} key=${i} row=${row} nameOf=${nameOf} />`))}
  </section>`;
}

/** @param {{row: DiffRow, hasChanges: boolean}} props `hasChanges`: how far a number is from the base's matters */
function ValueRow({ row, hasChanges }) {
  const values = row.values ?? [];
  const key = row.key ?? "";
  const dot = key.lastIndexOf(".") + 1;
  return html`<div class=${`diff-row ${isEqual(values) ? "is-equal" : ""}`}>
    <div class="diff-key" title=${key}><span class="faint">${key.slice(0, dot)}</span>${key.slice(dot)}</div>
    ${values.map((value, i) => {
      const isOther = i > 0 && !isEqual([values[0], value]);
      return html`<div key=${i} class=${`diff-value ${isOther ? "is-other" : ""} ${value === null || value === undefined ? "is-missing" : ""}`} title=${textOf(value)}>${textOf(value)}${isOther && hasChanges && html`<small>${change(values[0], value)}</small>`}</div>`;
    })}
  </div>`;
}

/** @param {{row: DiffRow & {run?: string}, nameOf: (id: string) => string}} props */
function TextRow({ row, nameOf }) {
  const isAll = useSignal(false);
  const isShut = useSignal(false);
  const run = row.run ? nameOf(row.run) : "";
  if (row.change === "unknown") return html`<p class="panel-hint"><b>${run}</b> ${row.diff}</p>`;
  return html`<div class="diff-file">
    <button class="diff-file-head" aria-expanded=${!isShut.value} onClick=${() => (isShut.value = !isShut.value)}>
      <b>${row.path || run}</b>${row.change && html`<span class=${`tag is-${row.change}`}>${row.change}</span>`}${row.path && html`<span class="faint">${run}</span>`}
    </button>
    ${!isShut.value && (row.diff ? html`<${DiffText} text=${row.diff} isAll=${isAll.value} onAll=${() => (isAll.value = true)} />` : html`<p class="panel-hint">No text: its bytes differ.</p>`)}
  </div>`;
}

/** @param {readonly unknown[]} values */
function isEqual(values) {
  const first = JSON.stringify(values[0]);
  return values.every((value) => JSON.stringify(value) === first);
}

/** @param {unknown} value */
const textOf = (value) => (value === undefined || value === null ? "–" : typeof value === "number" && !Number.isInteger(value) ? number(value) : setting(value));

/**
 * How far a number is from that of the base.
 * @param {unknown} base
 * @param {unknown} value
 */
function change(base, value) {
  if (typeof base !== "number" || typeof value !== "number") return "";
  const by = value - base;
  const sign = by > 0 ? "+" : "−";
  const share = base === 0 ? 0 : Math.abs(by / base);
  if (base !== 0 && share >= 9) return `× ${number(value / base)}`;
  return base === 0 ? `${sign}${number(Math.abs(by))}` : `${sign}${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
