import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import * as api from "../api.js";
import { short } from "../charts/numbers.js";
import { dressed } from "../charts/theme.js";
import { html } from "../html.js";

/** @import {MediaItem} from "../types.js" */

const MOST_STEPS = 60; // evenly chosen; more columns than this are narrower than the eye
const ROWS = 48;

/**
 * How a histogram changed: steps across, values up, darker where more are.
 * @param {{items: MediaItem[], step: number, colour: number}} props
 */
export function HistogramHeat({ items, step, colour }) {
  const canvas = /** @type {{current: HTMLCanvasElement | null}} */ (useRef(null));
  const [columns, setColumns] = useState(/** @type {{step: number, edges: number[], counts: number[]}[]} */ ([]));
  const [problem, setProblem] = useState("");
  const chosen = thinned(items);
  useEffect(() => {
    const stop = new AbortController();
    Promise.all(chosen.map((item) => api.mediumOf(item, stop.signal))).then(
      (found) => setColumns(found.map(({ content }, i) => ({ step: chosen[i].step, ...content }))),
      (error) => stop.signal.aborted || setProblem(error.message),
    );
    return () => stop.abort();
  }, [chosen.map(api.mediaUrl).join()]);
  const low = Math.min(...columns.map((column) => column.edges[0]));
  const high = Math.max(...columns.map((column) => column.edges[column.edges.length - 1]));
  useLayoutEffect(() => {
    if (columns.length && canvas.current) draw(canvas.current, { columns, low, high, colour });
  }, [columns, colour, dressed.value]);
  if (problem) return html`<p class="panel-problem" role="alert">${problem}</p>`;
  const at = columns.findIndex((column) => column.step === step);
  return html`<div class="heat">
    <div class="heat-box">
      <canvas ref=${canvas} role="img" aria-label="The histogram over steps"></canvas>
      ${at >= 0 && html`<i style=${{ left: `${(100 * (at + 0.5)) / columns.length}%` }}></i>`}
      ${columns.length > 0 && html`<span class="heat-high">${short(high, 3)}</span><span class="heat-low">${short(low, 3)}</span>`}
    </div>
    <p class="medium-axis"><span>step ${columns[0]?.step ?? ""}</span><span>${columns.at(-1)?.step ?? ""}</span></p>
  </div>`;
}

/** @param {MediaItem[]} items */
function thinned(items) {
  if (items.length <= MOST_STEPS) return items;
  return Array.from({ length: MOST_STEPS }, (_, i) => items[Math.round((i * (items.length - 1)) / (MOST_STEPS - 1))]);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{columns: {edges: number[], counts: number[]}[], low: number, high: number, colour: number}} drawn
 */
function draw(canvas, { columns, low, high, colour }) {
  canvas.width = columns.length;
  canvas.height = ROWS;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--c${colour + 1}`).trim();
  columns.forEach(({ edges, counts }, x) => {
    const densities = Array.from({ length: ROWS }, (_, row) => densityAt(low + ((high - low) * (row + 0.5)) / ROWS, edges, counts));
    const most = Math.max(...densities) || 1;
    densities.forEach((density, row) => {
      pen.globalAlpha = density / most;
      pen.fillRect(x, ROWS - 1 - row, 1, 1);
    });
  });
}

/**
 * @param {number} value
 * @param {number[]} edges
 * @param {number[]} counts
 */
function densityAt(value, edges, counts) {
  const place = edges.findIndex((edge, i) => i + 1 < edges.length && value >= edge && value <= edges[i + 1]);
  return place < 0 ? 0 : counts[place] / (edges[place + 1] - edges[place] || 1);
}
