import { useSignal, useSignalEffect } from "@preact/signals";

import * as api from "../api.js";
import { writerOf } from "../charts/numbers.js";
import { CopyLine } from "../components/copy-line.js";
import { Failed } from "../components/failed.js";
import { duration, moment, number, setting, stateClass, stateWord } from "../format.js";
import { html } from "../html.js";
import { changed } from "../state.js";
import { ArtifactList } from "./artifact-list.js";
import { choose, chosen } from "./chosen.js";
import { flatten } from "./flatten.js";
import { RunChoice } from "./run-choice.js";
import { RunNote } from "./run-note.js";

/** @import {Run} from "../types.js" */

const AGAIN_MS = 2000;

/** Everything about one run: what it was, when and where it ran, how it ended, what it left. */
export default function OverviewPanel() {
  const run = useSignal(/** @type {any} */ (null));
  const error = useSignal(/** @type {Error | null} */ (null));
  const again = useSignal(0);
  useSignalEffect(() => {
    again.value;
    const id = chosen.value;
    if (run.peek()?.id !== id) run.value = null;
    if (!id) return;
    const stop = new AbortController();
    const load = () =>
      api.run(id, stop.signal).then(
        (found) => {
          run.value = found;
          error.value = null;
        },
        (problem) => stop.signal.aborted || (error.value = problem),
      );
    load();
    let timer = 0;
    let isFirst = true;
    const listening = changed.subscribe(({ runs, everything }) => {
      if (!isFirst && !timer && (everything || runs.includes(id)))
        timer = window.setTimeout(() => {
          timer = 0;
          load();
        }, AGAIN_MS / 4);
      isFirst = false;
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
      listening();
    };
  });
  const shown = run.value;
  return html`<div class="panel-body panel-overview">
    ${!chosen.value && html`<p class="panel-empty">Select a run in the table to read all about it.</p>`}
    ${error.value && html`<${Failed} error=${error.value} onAgain=${() => (again.value += 1)} />`}
    ${shown && html`<${RunSheet} run=${shown} onChange=${(/** @type {any} */ next) => (run.value = next)} />`}
  </div>`;
}

/** @param {{run: any, onChange: (run: any) => void}} props */
function RunSheet({ run, onChange }) {
  const environment = run.environment ?? {};
  const code = run.code ?? {};
  return html`<div class="sheet">
    <header class="sheet-head">
      <${RunChoice} value=${run.id} onChoose=${choose} />
      <h2>${run.name}</h2>
      <span class=${`state ${stateClass(run.state)}`}>${stateWord(run.state)}</span>
      ${run.tags.map((/** @type {string} */ tag) => html`<span class="tag" key=${tag}>${tag}</span>`)}
      <p class="muted">${run.reason}</p>
    </header>
    ${run.traceback && html`<pre class="sheet-trace" role="region" tabindex="0" aria-label="Traceback">${run.traceback}</pre>`}
    ${run.warnings.length > 0 && html`<ul class="sheet-warnings">${run.warnings.map((/** @type {string} */ text) => html`<li>${text}</li>`)}</ul>`}
    <${RunNote} key=${run.id} run=${run} onChange=${onChange} />
    <div class="sheet-columns">
      <${Facts} title="Run" facts=${[
        ["id", run.id],
        ["experiment", run.experiment],
        ["grid", run.grid],
        ["parent", run.parent],
        ["source", run.source],
        ["seed", run.seed],
        ["data", run.data],
        ["created", moment(run.created_at)],
        ["started", moment(run.started_at)],
        ["ended", run.ended_at && moment(run.ended_at)],
        ["took", duration(run.duration_s)],
        ["progress", run.progress?.total && `${number(run.progress.done)} of ${number(run.progress.total)} ${run.progress.label ?? ""}`],
      ]} />
      <${Facts} title="Where" facts=${[
        ["user", run.user],
        ["host", run.host],
        ["devices", (run.device_names?.length ? run.device_names : run.devices).join(", ")],
        ["python", environment.python],
        ["platform", environment.platform],
        ["driver", environment.driver],
        ["branch", code.branch],
        ["commit", code.commit && `${code.commit.slice(0, 12)}${code.is_dirty ? " with changes" : ""}`],
        ["folder", run.spec?.project_dir],
      ]} />
    </div>
    ${run.attempts.length > 1 && html`<${Attempts} attempts=${run.attempts} />`}
    <div class="sheet-columns">
      <${Config} run=${run} />
      <${Summary} summary=${run.summary} />
    </div>
    ${Object.keys(run.labels).length > 0 && html`<${Facts} title="Labels" facts=${Object.entries(run.labels)} />`}
    ${run.artifacts.length > 0 && html`<${ArtifactList} artifacts=${run.artifacts} />`}
    ${run.spec?.command?.length > 0 && html`<section><h3>Command</h3><${CopyLine} text=${run.spec.command.join(" ")} /></section>`}
  </div>`;
}

/** @param {{title: string, facts: [string, unknown][]}} props */
function Facts({ title, facts }) {
  const told = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html`<section><h3>${title}</h3><dl class="facts">${told.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${String(value)}</dd></div>`)}</dl></section>`;
}

/** @param {{run: any}} props */
function Config({ run }) {
  const changes = new Set(Object.keys(run.changed ?? {}));
  return html`<section><h3>Config <span class="faint">${changes.size ? `${changes.size} changed from the default` : ""}</span></h3>
    <dl class="facts mono">${[...flatten(run.config)].map(([key, value]) => {
      const dot = key.lastIndexOf(".") + 1;
      return html`<div key=${key} class=${changes.has(key) ? "is-changed" : ""}><dt><span class="faint">${key.slice(0, dot)}</span>${key.slice(dot)}</dt><dd>${setting(value)}</dd></div>`;
    })}</dl></section>`;
}

/** @param {{summary: Run["summary"]}} props */
function Summary({ summary }) {
  const rows = Object.entries(summary).sort(([a], [b]) => Number(a.startsWith("sys/")) - Number(b.startsWith("sys/")) || (a < b ? -1 : 1));
  return html`<section><h3>Metrics</h3>
    <table class="summary"><thead><tr><th></th><th>last</th><th>min</th><th>max</th></tr></thead><tbody>
      ${rows.slice(0, 200).map(([key, metric]) => {
        const write = writerOf(key);
        const text = (/** @type {number | null} */ value) => (value === null ? "–" : write === writerOf("") ? number(value) : write(value));
        return html`<tr key=${key}><th scope="row">${key}</th><td title=${`step ${metric.last_step ?? "–"}`}>${text(metric.last)}</td><td title=${`step ${metric.min_step ?? "–"}`}>${text(metric.min)}</td><td title=${`step ${metric.max_step ?? "–"}`}>${text(metric.max)}</td></tr>`;
      })}
    </tbody></table>
    ${rows.length > 200 && html`<p class="faint">and ${rows.length - 200} more, in the charts</p>`}</section>`;
}

/** @param {{attempts: any[]}} props */
function Attempts({ attempts }) {
  return html`<section><h3>Attempts</h3>
    <table class="summary is-text"><tbody>${attempts.map(
      (each) => html`<tr key=${each.number}><th scope="row">${each.number}</th><td><span class=${`state ${stateClass(each.state ?? "RUNNING")}`}>${stateWord(each.state ?? "RUNNING")}</span></td><td>${moment(each.started_at)}</td><td>${each.host}</td><td>${each.reason}</td></tr>`,
    )}</tbody></table></section>`;
}
