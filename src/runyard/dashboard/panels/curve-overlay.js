import { useEffect, useState } from "preact/hooks";

import * as api from "../api.js";
import { short } from "../charts/numbers.js";
import { html } from "../html.js";
import { hover, hovered } from "../state.js";

/** @import {MediaItem} from "../types.js" */
/** @import {Shown} from "../charts/shown.js" */
/** @typedef {{x: number[], y: number[], x_label: string, y_label: string}} Logged */

const WIDTH = 460;
const HEIGHT = 320;
const LEFT = 44;
const BOTTOM = 36;
const TOP = 10;
const RIGHT = 12;

/**
 * ROC, precision over recall and the like: the curves of all runs in one drawing, with the area under each.
 * @param {{items: MediaItem[], shown: readonly Shown[], step: number}} props `items` of all runs, by step
 */
export function CurveOverlay({ items, shown, step }) {
  const wanted = shown.flatMap((one) => {
    const own = items.filter((each) => each.run === one.runIds[0]);
    const item = own.findLast((each) => each.step <= step) ?? own[0];
    return item ? [{ one, item }] : [];
  });
  const addresses = wanted.map(({ item }) => api.mediaUrl(item)).join("\n");
  const [loaded, setLoaded] = useState(/** @type {ReadonlyMap<string, Logged>} */ (new Map()));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    Promise.all(wanted.map(async ({ item }) => /** @type {const} */ ([api.mediaUrl(item), (await api.mediumOf(item, stop.signal)).content]))).then(
      (found) => {
        setProblem("");
        setLoaded(new Map(found));
      },
      (error) => stop.signal.aborted || setProblem(error.message),
    );
    return () => stop.abort();
  }, [addresses]);
  if (problem) return html`<p class="panel-problem" role="alert">${problem}</p>`;
  const curves = wanted.flatMap(({ one, item }) => {
    const content = loaded.get(api.mediaUrl(item));
    return content ? [{ one, item, content }] : [];
  });
  if (!curves.length) return html`<div class="medium-waits"></div>`;
  const [x0, x1] = rangeOf(curves.map(({ content }) => content.x));
  const [y0, y1] = rangeOf(curves.map(({ content }) => content.y));
  const toX = (/** @type {number} */ value) => LEFT + ((value - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const toY = (/** @type {number} */ value) => TOP + (1 - (value - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const { x_label: across, y_label: up } = curves[0].content;
  const lit = hovered.value?.run;
  const ends = curves.flatMap(({ content: { x, y } }) => [Math.abs(x[0] - y[0]), Math.abs(x[x.length - 1] - y[y.length - 1])]);
  const isFromCornerToCorner = x0 === 0 && x1 === 1 && y0 === 0 && y1 === 1 && ends.every((off) => off < 0.05); // as ROC is, where the diagonal is chance
  return html`<div class="curve-overlay">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`${up || "y"} over ${across || "x"}, ${curves.length} curves`}>
      ${marks(y0, y1).map((at) => html`<line class="scatter-grid" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${toY(at)} y2=${toY(at)} /><text x=${LEFT - 6} y=${toY(at) + 4} text-anchor="end">${short(at, 3)}</text>`)}
      ${marks(x0, x1).map((at) => html`<text x=${toX(at)} y=${HEIGHT - BOTTOM + 15} text-anchor="middle">${short(at, 3)}</text>`)}
      <text class="curve-label" x=${(WIDTH + LEFT) / 2} y=${HEIGHT - 3} text-anchor="middle">${across || "x"}</text>
      <text class="curve-label" transform=${`translate(10 ${(HEIGHT - BOTTOM) / 2}) rotate(-90)`} text-anchor="middle">${up || "y"}</text>
      ${isFromCornerToCorner && html`<line class="curve-chance" x1=${toX(0)} y1=${toY(0)} x2=${toX(1)} y2=${toY(1)} />`}
      ${curves.map(({ one, content }) => html`<path key=${one.id} class=${lit && lit !== one.id ? "is-dim" : ""} d=${content.x.map((x, i) => `${i ? "L" : "M"}${toX(x).toFixed(1)} ${toY(content.y[i]).toFixed(1)}`).join("")} stroke=${`var(--c${one.colour + 1})`} stroke-dasharray=${one.isDashed ? "6 3" : undefined} onPointerEnter=${() => hover(one.id)} onPointerLeave=${() => hover(null)} />`)}
    </svg>
    <ul class="curve-legend">
      ${curves.map(({ one, item, content }) => html`<li key=${one.id} onPointerEnter=${() => hover(one.id)} onPointerLeave=${() => hover(null)}><i class="swatch" style=${{ background: `var(--c${one.colour + 1})` }}></i><span>${one.label}</span><small class="faint">step ${item.step}</small><b>area ${short(areaUnder(content), 4)}</b></li>`)}
      ${wanted.length < shown.length && html`<li class="faint">${shown.length - wanted.length} without it</li>`}
    </ul>
  </div>`;
}

/** From the lowest to the highest; shares are drawn from 0 to 1. @param {number[][]} all @returns {[number, number]} */
function rangeOf(all) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of all) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low >= 0 && high <= 1) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** @param {number} low @param {number} high */
const marks = (low, high) => [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));

/** By trapezoids; x may run either way. @param {Logged} curve */
function areaUnder({ x, y }) {
  let sum = 0;
  for (let i = 1; i < x.length; i += 1) sum += ((x[i] - x[i - 1]) * (y[i] + y[i - 1])) / 2;
  return Math.abs(sum);
}
