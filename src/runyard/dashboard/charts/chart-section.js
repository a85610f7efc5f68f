import { useState } from "preact/hooks";

import { html } from "../html.js";
import { param, setParam } from "../state.js";
import { MetricCard } from "./metric-card.js";

/** @import {CurveStore} from "./store.js" */
/** @import {Visible} from "./visible.js" */

const FIRST = 24; // cards before a person asks for more: twelve thousand metrics are no slower than twelve

/**
 * The metrics of one prefix.
 * @param {object} props
 * @param {string} props.name
 * @param {string[]} props.metrics
 * @param {CurveStore} props.store
 * @param {Visible} props.visible
 * @param {import("@preact/signals").Signal<string>} props.large
 */
export function ChartSection({ name, metrics, store, visible, large }) {
  const [most, setMost] = useState(FIRST);
  const shut = param("shut").split("\n").filter(Boolean);
  const isShut = shut.includes(name);
  const turn = () => setParam("shut", (isShut ? shut.filter((each) => each !== name) : [...shut, name]).join("\n"));
  return html`<section class="chart-section">
    <button class="section-head" aria-expanded=${!isShut} onClick=${turn}><i></i>${name} <span class="faint">${metrics.length}</span></button>
    ${!isShut &&
    html`<div class="chart-grid">
        ${metrics.slice(0, most).map((metric) => html`<${MetricCard} key=${metric} metric=${metric} store=${store} visible=${visible} large=${large} />`)}
      </div>
      ${metrics.length > most && html`<button class="button" onClick=${() => setMost(most + 4 * FIRST)}>Show ${Math.min(metrics.length - most, 4 * FIRST)} more of ${metrics.length - most}</button>`}`}
  </section>`;
}
