import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";

import * as api from "../api.js";
import { CARD, ChartSection, heightOf } from "../charts/chart-section.js";
import { ChartToolbar } from "../charts/chart-toolbar.js";
import { Room } from "../charts/room.js";
import { sectionsOf } from "../charts/sections.js";
import { pattern, pinned, xKind } from "../charts/settings.js";
import { isFallback, shown, shownRuns } from "../charts/shown.js";
import { html } from "../html.js";
import { changed } from "../state.js";
import { useLiveCards } from "./use-live-cards.js";

const MOST_RUNS = 1000; // in one question to the server
const FIRST_CARDS = 12; // sections are there at once until there are so many, the others when one comes near them
const SECTIONS = 4; // so many more whenever a person comes near the end: every metric may have a prefix of its own
const AHEAD = "900px"; // sections come before their cards
const NONE = /** @type {string[]} */ ([]);
const KEYS_EVERY_MS = 4000; // a metric that a run logs for the first time appears this late at most

/** One card per metric of what is selected, live. */
export default function ChartsPanel() {
  const { scroller, store, visible, large } = useLiveCards();
  const keys = useSignal(/** @type {string[] | null} */ (null));
  const most = useSignal(SECTIONS);
  const seenKeys = useRef({ runs: "", at: 0 });
  const runNames = useComputed(() => shownRuns.value.join());

  useSignalEffect(() => {
    const runs = runNames.value ? runNames.value.split(",").slice(0, MOST_RUNS) : [];
    if (!runs.length) {
      keys.value = isFallback.value ? null : [];
      return;
    }
    const stop = new AbortController();
    api.metricKeys(runs, stop.signal).then((found) => (keys.value = found), (error) => tell(store, error));
    return () => stop.abort();
  });
  useSignalEffect(() => store.want({ keys: visible.names.value, runs: shownRuns.value, x: xKind.value }));
  useSignalEffect(() => {
    const { runs, everything } = changed.value;
    const here = everything ? null : runs.filter((run) => shownRuns.peek().includes(run));
    if (here && !here.length) return;
    store.goOn(here);
    if (performance.now() - seenKeys.current.at < KEYS_EVERY_MS || !shownRuns.peek().length) return;
    seenKeys.current.at = performance.now();
    api.metricKeys(shownRuns.peek().slice(0, MOST_RUNS)).then((found) => same(found, keys.peek()) || (keys.value = found), (error) => tell(store, error));
  });

  const wanted = matcher(pattern.value);
  const all = keys.value ?? NONE;
  const metrics = useMemo(() => (wanted && pattern.value ? all.filter((key) => wanted.test(key)) : all), [all, pattern.value]);
  const sections = useMemo(() => sectionsOf(metrics, pinned.value), [metrics, pinned.value]);
  const before = useMemo(() => sections.map((_, i) => sections.slice(0, Math.min(i, FIRST_CARDS)).reduce((sum, each) => sum + each.metrics.length, 0)), [sections]);
  const columns = Math.max(1, Math.floor((scroller.current?.clientWidth ?? 0) / CARD.width));
  const rest = useMemo(() => sections.slice(most.value).reduce((sum, each) => sum + heightOf(each.metrics.length, columns), 0), [sections, most.value, columns]);
  const hasGroups = shown.value.some((item) => item.runIds.length > 1) || shown.value.length > 50;
  return html`<div class="panel-charts" ref=${scroller}>
    <${ChartToolbar} count=${metrics.length} total=${all.length} isWrong=${wanted === null} hasGroups=${hasGroups} keys=${all} />
    ${store.problem.value && html`<p class="panel-problem" role="alert">${store.problem.value}</p>`}
    ${isFallback.value && shown.value.length > 0 && html`<p class="panel-hint">The first ${shown.value.length} rows of the table. Select rows to compare these instead.</p>`}
    ${keys.value !== null && !all.length && html`<p class="panel-empty">${shown.value.length ? "None of these runs has logged a metric yet. In the training: run.log({\"train/loss\": loss}, step=step)" : "Select runs in the table to draw them."}</p>`}
    ${all.length > 0 && !metrics.length && wanted && html`<p class="panel-empty">No metric matches ${pattern.value}.</p>`}
    ${sections.slice(0, most.value).map((section, i) => html`<${ChartSection} key=${section.name} ...${section} isFirst=${before[i] < FIRST_CARDS} columns=${columns} store=${store} visible=${visible} large=${large} />`)}
    ${rest > 0 && html`<${Room} height=${rest} within=${AHEAD} count=${most.value} onNear=${() => (most.value += SECTIONS)} />`}
  </div>`;
}

/**
 * @param {import("../charts/store.js").CurveStore} store
 * @param {Error} error
 */
function tell(store, error) {
  if (error.name !== "AbortError") store.problem.value = error.message;
}

/** @param {string} text @returns {RegExp | null} null: it is none */
function matcher(text) {
  try {
    return new RegExp(text, "i");
  } catch {
    return null;
  }
}

/**
 * @param {readonly string[]} a
 * @param {readonly string[] | null} b
 */
const same = (a, b) => b !== null && a.length === b.length && a.every((each, i) => each === b[i]);
