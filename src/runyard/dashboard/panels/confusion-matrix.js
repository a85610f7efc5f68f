import { useLayoutEffect, useRef } from "preact/hooks";

import { dressed } from "../charts/theme.js";
import { html } from "../html.js";

const MOST_CELLS = 24; // labels; more are drawn without numbers

/**
 * Targets down, predictions across; a cell is as dark as its share of its row.
 * @param {{labels: string[], matrix: number[][], colour: number}} props
 */
export function ConfusionMatrix({ labels, matrix, colour }) {
  if (labels.length > MOST_CELLS) return html`<${LargeMatrix} labels=${labels} matrix=${matrix} colour=${colour} />`;
  const ink = `var(--c${colour + 1})`;
  const total = matrix.flat().reduce((sum, count) => sum + count, 0);
  const right = matrix.reduce((sum, row, i) => sum + (row[i] ?? 0), 0);
  return html`<div class="matrix-box">
    <table class="matrix">
      <caption>${total ? `${((100 * right) / total).toFixed(1)} % of ${total} on the diagonal` : "empty"}</caption>
      <thead><tr><th class="matrix-corner">true \\ read as</th>${labels.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
      <tbody>
        ${matrix.map((row, i) => {
          const sum = row.reduce((all, count) => all + count, 0) || 1;
          return html`<tr><th scope="row">${labels[i]}</th>${row.map((count, k) => {
            const share = count / sum;
            return html`<td class=${share > 0.55 ? "is-dark" : ""} style=${{ background: `color-mix(in srgb, ${ink} ${Math.round(share * 85)}%, var(--sunk))` }} title=${`${labels[i]} read as ${labels[k]}: ${count} (${(share * 100).toFixed(1)} %)`}>${count || ""}</td>`;
          })}</tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** @param {{labels: string[], matrix: number[][], colour: number}} props */
function LargeMatrix({ labels, matrix, colour }) {
  const canvas = /** @type {{current: HTMLCanvasElement | null}} */ (useRef(null));
  useLayoutEffect(() => {
    const element = /** @type {HTMLCanvasElement} */ (canvas.current);
    const n = matrix.length;
    element.width = element.height = n;
    const pen = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d"));
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--c${colour + 1}`).trim();
    matrix.forEach((row, i) => {
      const sum = row.reduce((all, count) => all + count, 0) || 1;
      row.forEach((count, k) => {
        pen.globalAlpha = count / sum;
        pen.fillRect(k, i, 1, 1);
      });
    });
  }, [matrix, colour, dressed.value]);
  return html`<canvas class="matrix-large" ref=${canvas} role="img" aria-label=${`Confusion matrix of ${labels.length} classes`}></canvas>`;
}
