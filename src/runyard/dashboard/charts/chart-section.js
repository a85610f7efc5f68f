import { useMemo, useState } from "preact/hooks";

import { html } from "../html.js";
import { param, setParam } from "../state.js";
import { MetricCard } from "./metric-card.js";
import { Room } from "./room.js";
import { inOrder } from "./sections.js";

/** @import {CurveStore} from "./store.js" */
/** @import {Visible} from "./visible.js" */

const NEAR = "600px";
/** Of a card with the gap beside it, as charts.css has it. */
export const CARD = { width: 342, height: 236 };
const HEAD = 45; // of a section, with what is below it
const FIRST = 24; // cards before a person asks for more: twelve thousand metrics are no slower than twelve

/** Pixels that a section takes, roughly. @param {number} metrics how many @param {number} columns */
export const heightOf = (metrics, columns) => HEAD + cardsHeight(Math.min(metrics, FIRST), columns);

/** @param {number} cards @param {number} columns */
const cardsHeight = (cards, columns) => Math.ceil(cards / columns) * CARD.height;

/**
 * The metrics of one prefix. Its cards exist once somebody comes near them: there may be a hundred sections.
 * @param {object} props
 * @param {string} props.name
 * @param {string[]} props.metrics
 * @param {boolean} props.isPinned whether a person has put them in their order
 * @param {boolean} props.isFirst whether it is at the top, and has its cards at once
 * @param {number} props.columns cards beside each other, roughly: what does not exist yet keeps its place
 * @param {CurveStore} props.store
 * @param {Visible} props.visible
 * @param {import("@preact/signals").Signal<string>} props.large
 */
export function ChartSection({ name, metrics, isPinned, isFirst, columns, store, visible, large }) {
  const [most, setMost] = useState(FIRST);
  const [isNear, setNear] = useState(isFirst);
  const shut = param("shut").split("\n").filter(Boolean);
  const isShut = shut.includes(name);
  const turn = () => setParam("shut", (isShut ? shut.filter((each) => each !== name) : [...shut, name]).join("\n"));
  const ordered = useMemo(() => (isPinned || !isNear ? metrics : inOrder(metrics)), [metrics, isPinned, isNear]);
  return html`<section class="chart-section">
    <button class="section-head" aria-expanded=${!isShut} onClick=${turn}><i></i><span class="section-name">${name}</span> <span class="faint">${metrics.length}</span></button>
    ${!isShut && !isNear && html`<${Room} height=${cardsHeight(Math.min(metrics.length, most), columns)} within=${NEAR} onNear=${() => setNear(true)} />`}
    ${!isShut &&
    isNear &&
    html`<div class="chart-grid">
        ${ordered.slice(0, most).map((metric) => html`<${MetricCard} key=${metric} metric=${metric} store=${store} visible=${visible} large=${large} />`)}
      </div>
      ${metrics.length > most && html`<button class="button" onClick=${() => setMost(most + 4 * FIRST)}>Show ${Math.min(metrics.length - most, 4 * FIRST)} more of ${metrics.length - most}</button>`}`}
  </section>`;
}
