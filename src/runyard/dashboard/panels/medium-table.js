import { useState } from "preact/hooks";

import { number, setting } from "../format.js";
import { html } from "../html.js";

const FIRST = 100;
const { compare } = new Intl.Collator("en", { numeric: true });

/**
 * A logged table; a click on a column sorts by it.
 * @param {{columns: string[], rows: unknown[][]}} props
 */
export function MediumTable({ columns, rows }) {
  const [order, setOrder] = useState({ column: -1, isDown: false });
  const [most, setMost] = useState(FIRST);
  const sorted = order.column < 0 ? rows : [...rows].sort((a, b) => (order.isDown ? -1 : 1) * compareCells(a[order.column], b[order.column]));
  const sort = (/** @type {number} */ column) => setOrder({ column, isDown: order.column === column && !order.isDown });
  return html`<div class="medium-table">
    <table>
      <thead><tr>${columns.map((name, i) => html`<th scope="col" aria-sort=${order.column === i ? (order.isDown ? "descending" : "ascending") : "none"}><button onClick=${() => sort(i)}>${name}${order.column === i ? (order.isDown ? " ▾" : " ▴") : ""}</button></th>`)}</tr></thead>
      <tbody>${sorted.slice(0, most).map((row, i) => html`<tr key=${i}>${row.map((cell) => html`<td class=${typeof cell === "number" ? "num" : ""}>${typeof cell === "number" ? number(cell) : setting(cell)}</td>`)}</tr>`)}</tbody>
    </table>
    ${rows.length > most && html`<button class="button" onClick=${() => setMost(most * 5)}>Show more of ${rows.length - most} rows</button>`}
  </div>`;
}

/**
 * @param {unknown} a
 * @param {unknown} b
 */
function compareCells(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return compare(String(a ?? ""), String(b ?? ""));
}
