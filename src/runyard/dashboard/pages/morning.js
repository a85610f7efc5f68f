import { useSignal } from "@preact/signals";
import * as api from "../api.js";
import { act } from "../actions.js";
import { Empty } from "../components/empty.js";
import { Failed } from "../components/failed.js";
import { RunLink } from "../components/run-link.js";
import { useAnswer } from "../components/use-answer.js";
import { bytes, clock, count, moment, number, plural, stateClass, stateWord } from "../format.js";
import { html } from "../html.js";
import { mayChange } from "../session.js";
import { now } from "../state.js";

const SINCE = /** @type {[string, number][]} */ ([["yesterday evening", 0], ["24 hours", 24], ["3 days", 72], ["a week", 168]]);

/** What a person wants to know with the first coffee. */
export function MorningPage() {
  const hours = useSignal(0);
  const ask = (/** @type {AbortSignal} */ signal) => api.morning(undefined, hours.value ? new Date(Date.now() - hours.value * 3600_000).toISOString() : undefined, signal);
  const { answer, error, again } = useAnswer(ask, [hours.value], 4000);
  if (error && !answer) return html`<main class="page"><${Failed} error=${error} onAgain=${again} /></main>`;
  if (!answer) return html`<main class="page"></main>`;
  const ended = Object.entries(answer.ended).filter(([, n]) => n > 0);
  const sum = ended.reduce((all, [, n]) => all + n, 0);
  return html`<main class="page" aria-label="Morning">
    <header class="page-head">
      <h1>${greeting(new Date(now.value).getHours())}</h1>
      <p class="muted">since ${moment(answer.since)}</p>
      <div class="push chips" role="group" aria-label="Since">
        ${SINCE.map(([word, back]) => html`<button key=${word} class=${`chip ${hours.value === back ? "on" : ""}`} aria-pressed=${hours.value === back} onClick=${() => (hours.value = back)}>${word}</button>`)}
      </div>
    </header>
    <div class="figures">
      <${Figure} value=${count(sum)} label=${sum === 1 ? "run ended" : "runs ended"}>
        ${sum > 0 && html`<div class="share" role="img" aria-label=${ended.map(([state, n]) => `${n} ${stateWord(state)}`).join(", ")}>${ended.map(([state, n]) => html`<i key=${state} class=${stateClass(state)} style=${{ flexGrow: n }}></i>`)}</div>`}
        <div class="share-words">${ended.map(([state, n]) => html`<span class=${`state ${stateClass(state)}`} key=${state}>${n} ${stateWord(state)}</span>`)}</div>
      </${Figure}>
      <${Figure} value=${count(answer.failures.length)} label=${answer.failures.length === 1 ? "cause of failure" : "causes of failure"} kind=${answer.failures.length ? "bad" : ""} />
      <${Figure} value=${count(answer.waiting)} label="waiting">${answer.eta_s === null ? "" : html`<span class="muted">done ${clock(answer.eta_s, now.value)}</span>`}</${Figure}>
      <${Figure} value=${bytes(answer.disk_free_bytes)} label="free on the disk" />
    </div>
    ${answer.failures.length > 0 &&
    html`<section class="card-block">
      <h2>What failed, by cause</h2>
      <div class="list">
        ${answer.failures.map(
          (each) => html`<div class="list-row failure" key=${`${each.fingerprint}${each.state}${each.reason}`}>
            <span class="times">${each.count}×</span>
            <span class=${`state ${stateClass(each.state)}`}>${stateWord(each.state)}</span>
            <code class="grow wrap">${each.reason || "no reason was left"}</code>
            <span class="do">
              <${RunLink} run=${each.runs[0]} query=${idsQuery(each.runs)}><span class="quiet">${plural(each.runs.length, "run")}</span></${RunLink}>
              ${mayChange.value && html`<button class="quiet" onClick=${() => act("retry", each.runs)}>Retry</button>`}
            </span>
          </div>`,
        )}
      </div>
    </section>`}
    ${answer.best.length > 0 &&
    html`<section class="card-block">
      <h2>Best results</h2>
      <div class="list">${answer.best.map((each) => html`<${Best} key=${`${each.project}/${each.grid ?? each.experiment}/${each.metric}`} best=${each} />`)}</div>
    </section>`}
    ${sum === 0 && answer.waiting === 0 && html`<${Empty} title="A quiet night" commands=${["python run.py train 'optim.lr=[0.1,0.01]' 'seed=[0,1,2]' --queue", "python run.py work"]}><p>Nothing ended and nothing waits. Queue a grid in the evening, and its results stand here in the morning.</p></${Empty}>`}
  </main>`;
}

/** @param {readonly string[]} ids */
const idsQuery = (ids) => `id in [${ids.slice(0, 150).map((id) => JSON.stringify(id)).join(", ")}]`;

/** @param {number} hour */
const greeting = (hour) => (hour < 5 ? "This night" : hour < 12 ? "Good morning" : hour < 18 ? "Since yesterday" : "Today");

/** @param {{value: string, label: string, kind?: string, children?: any}} props */
function Figure({ value, label, kind = "", children }) {
  return html`<div class="figure"><b class=${kind}>${value}</b><span class="muted">${label}</span>${children}</div>`;
}

/** @param {{best: import("../types.js").Morning["best"][number]}} props */
function Best({ best }) {
  const { value, previous, goal } = best;
  const gain = value !== null && previous !== null && previous !== undefined ? value - previous : null;
  const isBetter = gain === null || (goal === "max" ? gain > 0 : gain < 0);
  return html`<div class="list-row best-row">
    <span class="what"><b>${best.experiment ?? best.grid ?? "runs"}</b><small>${[best.project, best.grid].filter(Boolean).join(" · ")}</small></span>
    <span class="metric">${best.metric} <span class="faint">${goal}</span></span>
    <span class="value">${number(value)}</span>
    <span class=${`gain ${gain === null ? "faint" : isBetter ? "ok" : "faint"}`}>
      ${gain === null ? "the first result" : isBetter ? html`${gain > 0 ? "▲" : "▼"} ${number(Math.abs(gain))}, before ${number(previous)}` : html`not better than ${number(previous)}`}
    </span>
    <span class="do"><${RunLink} run=${best.run} in=${best.project}><span class="quiet">${best.run_name}</span></${RunLink}></span>
  </div>`;
}
