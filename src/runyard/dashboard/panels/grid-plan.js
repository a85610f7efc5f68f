import { useSignal, useSignalEffect } from "@preact/signals";
import { complain, say } from "../actions.js";
import * as api from "../api.js";
import { plural } from "../format.js";
import { html } from "../html.js";
import { project, query } from "../state.js";

/** @import {Growth} from "../types.js" */

/**
 * What queueing the picked points would take, asked of the server before anything is done.
 * @param {{points: import("@preact/signals").ReadonlySignal<readonly Record<string, unknown>[]>, onDone: () => void}} props
 */
export function GridPlan({ points, onDone }) {
  const growth = useSignal(/** @type {Growth | null} */ (null));
  const problem = useSignal("");
  const isBusy = useSignal(false);
  useSignalEffect(() => {
    growth.value = null;
    problem.value = "";
    if (!points.value.length) return;
    const stop = new AbortController();
    api.fillPoints({ project: project.value, query: query.value || null, points: points.value, is_dry: true }, stop.signal).then(
      (found) => (growth.value = found),
      (error) => stop.signal.aborted || (problem.value = error.message),
    );
    return () => stop.abort();
  });
  if (!points.value.length) return null;
  const runs = (growth.value?.new ?? 0) + (growth.value?.retried ?? 0);
  const queue = async () => {
    isBusy.value = true;
    try {
      const done = await api.fillPoints({ project: project.value, query: query.value || null, points: points.value, is_dry: false });
      say(`${plural(done.runs.length, "run")} queued.`);
      onDone();
    } catch (error) {
      complain(error);
    }
    isBusy.value = false;
  };
  return html`<div class="grid-plan" role="group" aria-label="Points to queue">
    <p>
      <b>${plural(points.value.length, "missing point")}</b>
      ${problem.value
        ? html`<span class="bad" role="alert">${problem.value}</span>`
        : growth.value
          ? html`<span class="muted">${wordsOf(growth.value)}</span>`
          : html`<span class="faint">…</span>`}
    </p>
    <button class="button" onClick=${onDone}>Cancel</button>
    <button class="button primary" disabled=${runs === 0 || isBusy.value} onClick=${queue}>${runs ? `Queue ${plural(runs, "run")}` : "Nothing to queue"}</button>
  </div>`;
}

/** @param {Growth} growth */
function wordsOf({ new: fresh, retried, present, names }) {
  const parts = [];
  if (fresh) parts.push(`${plural(fresh, "new run")}: ${names.slice(0, 3).map((name) => name.slice(0, 80)).join(", ")}${names.length > 3 ? " …" : ""}`);
  if (retried) parts.push(`${plural(retried, "run")} tried again`);
  if (present) parts.push(`${present} there already`);
  return parts.join(" · ");
}
