import { useComputed, useSignal, useSignalEffect } from "@preact/signals";

import * as api from "../api.js";
import { shown } from "../charts/shown.js";
import { LongName } from "../components/long-name.js";
import { html } from "../html.js";
import { changed, hover, param, setParam } from "../state.js";
import { CurveOverlay } from "./curve-overlay.js";
import { MediumCell } from "./medium-cell.js";

/** @import {MediaItem} from "../types.js" */

const MOST_RUNS = 8; // side by side
const AGAIN_MS = 3000;

/** Pictures, tables, matrices and histograms of the selected runs, side by side, step by step. */
export default function MediaPanel() {
  const media = useSignal(/** @type {MediaItem[] | null} */ (null));
  const problem = useSignal("");
  const sliding = useSignal(/** @type {number | null} */ (null));
  const columns = useComputed(() => shown.value.filter((item) => item.runIds.length).slice(0, MOST_RUNS));
  const hidden = useComputed(() => shown.value.filter((item) => item.runIds.length).length - columns.value.length);
  const runs = useComputed(() => columns.value.map((item) => item.runIds[0]).join());

  useSignalEffect(() => {
    const ids = runs.value ? runs.value.split(",") : [];
    media.value = null;
    if (!ids.length) return;
    const stop = new AbortController();
    const load = () =>
      api.media(ids, stop.signal).then(
        (found) => {
          problem.value = "";
          if (found.length !== media.peek()?.length) media.value = found;
        },
        (error) => stop.signal.aborted || (problem.value = error.message),
      );
    load();
    let last = performance.now();
    let isFirst = true;
    const listening = changed.subscribe(({ runs: moved, everything }) => {
      const isOurs = !isFirst && (everything || moved.some((run) => ids.includes(run)));
      isFirst = false;
      if (!isOurs || performance.now() - last < AGAIN_MS) return;
      last = performance.now();
      load();
    });
    return () => {
      stop.abort();
      listening();
    };
  });

  const all = media.value ?? [];
  const steps = [...new Set(all.map((item) => item.step))].sort((a, b) => a - b);
  const wished = param("at") === "" ? Infinity : Number(param("at"));
  const place = sliding.value ?? placeOf(steps, wished);
  const step = steps[Math.min(place, steps.length - 1)] ?? 0;
  /** @type {Map<string, MediaItem[]>} */
  const byKey = new Map();
  for (const item of all) byKey.set(`${item.key}\n${item.kind}`, [...(byKey.get(`${item.key}\n${item.kind}`) ?? []), item]);
  const settle = () => {
    setParam("at", place >= steps.length - 1 ? "" : String(step));
    sliding.value = null;
  };
  return html`<div class="panel-body panel-media" style=${{ "--columns": Math.max(columns.value.length, 1) }}>
    ${problem.value && html`<p class="panel-problem" role="alert">${problem.value}</p>`}
    ${steps.length > 1 &&
    html`<div class="panel-tools media-steps">
      <label>step <input type="range" min="0" max=${steps.length - 1} value=${place} aria-label="Step" aria-valuetext=${String(step)} onInput=${(/** @type {Event} */ event) => (sliding.value = Number(/** @type {HTMLInputElement} */ (event.target).value))} onChange=${settle} /></label>
      <output>${step}</output>
    </div>`}
    ${media.value !== null && !all.length && html`<p class="panel-empty">These runs have logged no images, tables or histograms. In the training: run.log_image("worst", picture, step=step)</p>`}
    ${hidden.value > 0 && html`<p class="panel-hint">The first ${MOST_RUNS} of ${MOST_RUNS + hidden.value} side by side; ${hidden.value} more are selected.</p>`}
    ${!columns.value.length && html`<p class="panel-empty">Select runs in the table to see what they have logged.</p>`}
    ${[...byKey].map(([name, items]) => {
      const { key, kind } = items[0];
      return html`<section key=${name} class="media-section">
        <h3>${key} <span class="faint">${kind.replaceAll("_", " ")}</span></h3>
        ${kind === "curve"
          ? html`<${CurveOverlay} items=${items} shown=${columns.value} step=${step} />`
          : html`<div class="media-row">
          ${columns.value.map(
            (item) => html`<figure key=${item.id} onPointerEnter=${() => hover(item.id)} onPointerLeave=${() => hover(null)}>
              <figcaption><i class="swatch" style=${{ background: `var(--c${item.colour + 1})` }}></i><${LongName} text=${item.label} /></figcaption>
              <${MediumCell} items=${items.filter((each) => each.run === item.runIds[0])} kind=${kind} step=${step} colour=${item.colour} />
            </figure>`,
          )}
        </div>`}
      </section>`;
    })}
  </div>`;
}

/**
 * The last step that is not after the wished one.
 * @param {number[]} steps
 * @param {number} wished
 */
function placeOf(steps, wished) {
  let place = 0;
  while (place + 1 < steps.length && steps[place + 1] <= wished) place += 1;
  return place;
}
