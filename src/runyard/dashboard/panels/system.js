import { computed, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";

import * as api from "../api.js";
import { MetricCard } from "../charts/metric-card.js";
import { shown, shownRuns } from "../charts/shown.js";
import { html } from "../html.js";
import { changed, param, projectInfo, setParam } from "../state.js";
import { useLiveCards } from "./use-live-cards.js";

const MOST_RUNS = 1000; // in one question to the server

/** One axis for all: seconds since each run began, or the time of day. @type {import("@preact/signals").ReadonlySignal<"relative" | "time">} */
const axis = computed(() => (param("clock") === "day" ? "time" : "relative"));
const range = signal(/** @type {[number, number] | null} */ (null));

/** What machine and training did at the same time: a metric on top, everything measured of the host below, zoomed together. */
export default function SystemPanel() {
  const { scroller, store, visible, large } = useLiveCards(() => (range.value = null));
  const keys = useSignal(/** @type {string[]} */ ([]));
  const runs = useComputed(() => shownRuns.value.slice(0, MOST_RUNS).join());

  useSignalEffect(() => {
    const ids = runs.value ? runs.value.split(",") : [];
    if (!ids.length) return;
    const stop = new AbortController();
    api.metricKeys(ids, stop.signal).then(
      (found) => (keys.value = found),
      (error) => stop.signal.aborted || (store.problem.value = error.message),
    );
    return () => stop.abort();
  });
  useSignalEffect(() => store.want({ keys: visible.names.value, runs: shownRuns.value, x: axis.value }));
  useSignalEffect(() => {
    const { runs: moved, everything } = changed.value;
    store.goOn(everything ? null : moved.filter((run) => shownRuns.peek().includes(run)));
  });

  const measured = keys.value.filter((key) => key.startsWith("sys/"));
  const others = keys.value.filter((key) => !key.startsWith("sys/"));
  const wished = param("beside");
  const beside = others.includes(wished) ? wished : (others.find((key) => key === projectInfo.value?.metrics[0]?.key) ?? others[0] ?? "");
  const cards = beside ? [beside, ...measured] : measured;
  return html`<div class="panel-body" ref=${scroller}>
    <div class="panel-tools">
      <label>beside <select class="input" value=${beside} onChange=${(/** @type {Event} */ event) => setParam("beside", /** @type {HTMLSelectElement} */ (event.target).value)}>${others.map((key) => html`<option value=${key}>${key}</option>`)}</select></label>
      <button class=${`chip ${axis.value === "relative" ? "on" : ""}`} aria-pressed=${axis.value === "relative"} onClick=${() => setParam("clock", "")}>since start</button>
      <button class=${`chip ${axis.value === "time" ? "on" : ""}`} aria-pressed=${axis.value === "time"} onClick=${() => setParam("clock", "day")}>time of day</button>
      <span class="spring"></span>
      <span class="faint">drag to zoom all, double click to reset</span>
    </div>
    ${store.problem.value && html`<p class="panel-problem" role="alert">${store.problem.value}</p>`}
    ${!measured.length && html`<p class="panel-empty">${shown.value.length ? "Nothing was measured of the machines of these runs. The supervisor measures runs that were started by Runyard, every few seconds." : "Select runs in the table to see what their machines did."}</p>`}
    <div class="system-cards">
      ${cards.map((key, i) => html`<${MetricCard} key=${key} metric=${key} store=${store} visible=${visible} large=${large} axis=${axis} range=${range} isShort=${i > 0} />`)}
    </div>
  </div>`;
}
