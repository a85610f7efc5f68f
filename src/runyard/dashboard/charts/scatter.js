import { html } from "../html.js";
import { hover, hovered, selection, toggle } from "../state.js";
import { colourOf } from "../colours.js";

/** @import {Axis} from "./axes.js" */

const WIDTH = 460;
const HEIGHT = 250;
const LEFT = 52;
const BOTTOM = 34;

/**
 * One setting against the metric; a click selects a run.
 * @param {{x: Axis, y: Axis, points: {id: string, name: string, x: unknown, y: unknown, isIn: boolean}[]}} props
 */
export function Scatter({ x, y, points }) {
  const toX = (/** @type {number} */ share) => LEFT + 14 + share * (WIDTH - LEFT - 34);
  const toY = (/** @type {number} */ share) => 12 + (1 - share) * (HEIGHT - BOTTOM - 22);
  const lit = hovered.value?.run;
  const chosen = new Set(selection.value);
  const found = points.filter((point) => !Number.isNaN(x.place(point.x)) && !Number.isNaN(y.place(point.y)));
  const drawn = [...found.filter((point) => !chosen.has(point.id)), ...found.filter((point) => chosen.has(point.id))]; // what is selected lies on top
  return html`<svg class="scatter" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`${y.title} by ${x.title}`}>
    ${y.ticks.map((tick) => html`<line class="scatter-grid" x1=${LEFT} x2=${WIDTH - 8} y1=${toY(tick.at)} y2=${toY(tick.at)} /><text x=${LEFT - 6} y=${toY(tick.at) + 4} text-anchor="end">${tick.text}</text>`)}
    ${x.ticks.map((tick) => html`<text x=${toX(tick.at)} y=${HEIGHT - BOTTOM + 14} text-anchor="middle">${tick.text}</text>`)}
    <text class="scatter-title" x=${(WIDTH + LEFT) / 2} y=${HEIGHT - 4} text-anchor="middle">${x.key}</text>
    ${drawn.map(
      (point) => html`<circle key=${point.id} class=${`${point.isIn ? "" : "is-out"} ${lit === point.id ? "is-lit" : ""}`} cx=${toX(x.place(point.x)) + jitter(point.id, x)} cy=${toY(y.place(point.y))} r=${lit === point.id ? 6 : 4}
        fill=${chosen.has(point.id) ? colourOf(point.id) : "var(--ink-3)"} onPointerEnter=${() => hover(point.id)} onPointerLeave=${() => hover(null)} onClick=${() => toggle(point.id)}><title>${point.name}</title></circle>`,
    )}
  </svg>`;
}

/** Points of few values would hide each other; each keeps its place. @param {string} id @param {Axis} x */
function jitter(id, x) {
  if (x.ticks.length > 8) return 0;
  let hash = 0;
  for (let i = 0; i < id.length; i += 1) hash = (hash * 31 + id.charCodeAt(i)) >>> 0;
  return (hash % 17) - 8;
}
