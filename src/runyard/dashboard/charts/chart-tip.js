import { html } from "../html.js";

/**
 * @typedef {object} Tip
 * @property {number} left of the pointer in the chart, in pixels
 * @property {number} top
 * @property {boolean} isRight whether the tip goes to the left of the pointer
 * @property {string} title
 * @property {{id: string, name: string, ink: string, value: string, isLit: boolean}[]} rows
 */

/**
 * What the curves near the pointer are worth there.
 * @param {{tip: import("@preact/signals").Signal<Tip | null>}} props
 */
export function ChartTip({ tip }) {
  const shown = tip.value;
  if (!shown || !shown.rows.length) return null;
  const place = shown.isRight ? { right: `calc(100% - ${shown.left - 12}px)`, top: `${shown.top}px` } : { left: `${shown.left + 12}px`, top: `${shown.top}px` };
  return html`<div class="chart-tip" style=${place}>
    <p>${shown.title}</p>
    ${shown.rows.map(
      (row) => html`<p key=${row.id + row.name} class=${row.isLit ? "is-lit" : ""}>
        <i style=${{ background: row.ink }}></i><span>${row.name}</span><b>${row.value}</b>
      </p>`,
    )}
  </div>`;
}
