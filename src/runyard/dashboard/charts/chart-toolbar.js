import { useMemo } from "preact/hooks";

import { html } from "../html.js";
import { setParam } from "../state.js";
import { groupsAs, isLogX, isLogY, pattern, sliding, smoothing, toggleLog, xKind } from "./settings.js";

const MOST_AXES = 200; // metrics to choose from; a link may name any

/**
 * How all charts are drawn, and which.
 * @param {object} props
 * @param {number} props.count metrics that are shown
 * @param {number} props.total
 * @param {boolean} props.isWrong the pattern is no regular expression
 * @param {boolean} props.hasGroups
 * @param {readonly string[]} props.keys all metrics, for the x axis
 */
export function ChartToolbar({ count, total, isWrong, hasGroups, keys }) {
  const [epochs, named] = useMemo(() => axesOf(keys), [keys]);
  const chosen = xKind.value.startsWith("metric:") ? xKind.value.slice(7) : "";
  const others = chosen && !epochs.includes(chosen) && !named.includes(chosen) ? [chosen, ...named] : named;
  return html`<div class="chart-toolbar">
    <input class=${`input mono ${isWrong ? "is-wrong" : ""}`} type="search" placeholder="metrics: acc|loss" aria-label="Metrics to show, a regular expression"
      spellcheck=${false} value=${pattern.value} onInput=${(/** @type {InputEvent} */ event) => setParam("re", valueOf(event))} />
    <span class="faint">${isWrong ? "not a regular expression" : pattern.value ? `${count} of ${total}` : `${total} metric${total === 1 ? "" : "s"}`}</span>
    <span class="spring"></span>
    <label class="chart-smooth">smooth
      <input type="range" min="0" max="0.99" step="0.01" value=${smoothing.value} aria-label="Smoothing"
        onInput=${(/** @type {InputEvent} */ event) => (sliding.value = Number(valueOf(event)))}
        onChange=${(/** @type {InputEvent} */ event) => settle(valueOf(event))} />
      <output>${smoothing.value ? smoothing.value.toFixed(2) : "off"}</output>
    </label>
    ${hasGroups &&
    html`<select class="input" aria-label="How groups are drawn" value=${groupsAs.value} onChange=${(/** @type {InputEvent} */ event) => setParam("band", valueOf(event) === "std" ? "" : valueOf(event))}>
      <option value="std">mean ± std</option>
      <option value="range">mean, min–max</option>
      <option value="each">every run</option>
    </select>`}
    <select class="input" aria-label="The x axis" value=${xKind.value} onChange=${(/** @type {InputEvent} */ event) => setParam("x", valueOf(event) === "step" ? "" : valueOf(event))}>
      <option value="step">by step</option>
      ${epochs.map((key) => html`<option value=${`metric:${key}`}>by ${key}</option>`)}
      <option value="relative">since start</option>
      <option value="time">time of day</option>
      ${others.length > 0 && html`<optgroup label="by another metric">${others.map((key) => html`<option value=${`metric:${key}`}>${key}</option>`)}</optgroup>`}
    </select>
    <span class="chart-logs"><button class=${`chip ${isLogX.value ? "on" : ""}`} aria-pressed=${isLogX.value} disabled=${xKind.value === "time"} onClick=${() => toggleLog("x")}>log x</button>
    <button class=${`chip ${isLogY.value ? "on" : ""}`} aria-pressed=${isLogY.value} onClick=${() => toggleLog("y")}>log y</button></span>
  </div>`;
}

/** @param {readonly string[]} keys @returns {[string[], string[]]} epochs, and what else is worth an axis */
function axesOf(keys) {
  const epochs = keys.filter((key) => /(^|\/)epochs?$/.test(key));
  /** @type {string[]} */
  const others = [];
  for (const key of keys) {
    if (others.length === MOST_AXES) break;
    if (!key.startsWith("sys/") && !epochs.includes(key)) others.push(key);
  }
  return [epochs, others];
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {string} text */
function settle(text) {
  setParam("smooth", Number(text) ? String(Number(text)) : "");
  sliding.value = null;
}
