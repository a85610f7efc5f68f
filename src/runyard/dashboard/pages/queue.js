import { useSignal } from "@preact/signals";
import { act, complain, say } from "../actions.js";
import * as api from "../api.js";
import { Editor } from "../components/editable.js";
import { Empty } from "../components/empty.js";
import { Failed } from "../components/failed.js";
import { RunLink } from "../components/run-link.js";
import { SlotCard } from "../components/slot-card.js";
import { useAnswer } from "../components/use-answer.js";
import { age, clock, duration, plural, share, stateClass, stateWord } from "../format.js";
import { html } from "../html.js";
import { mayChange } from "../session.js";
import { now, projects } from "../state.js";

/** @import {Machine, QueueRow, Run} from "../types.js" */

const END = "end"; // of the queue, as a place to drop a run
const NOTHING = ["-"]; // neither metrics nor settings are shown here

/** @param {AbortSignal} signal */
async function ask(signal) {
  const [queue, machines, { runs }] = await Promise.all([api.queue(undefined, signal), api.machines(signal), api.runs({ query: 'state == "RUNNING"', sort: "started_at", limit: 500, metrics: NOTHING, config: NOTHING }, signal)]);
  return { ...queue, machines, running: runs };
}

/** What runs and what waits, in the order in which it will start, and why it waits. */
export function QueuePage() {
  const { answer, error, again } = useAnswer(ask, [], 700);
  if (error && !answer) return html`<main class="page"><${Failed} error=${error} onAgain=${again} /></main>`;
  if (!answer) return html`<main class="page"></main>`;
  const { running } = answer;
  const waiting = [...answer.rows].sort(byPlace);
  return html`<main class="page" aria-label="Queue">
    <header class="page-head">
      <h1>Queue</h1>
      <p class="muted">${plural(waiting.length, "run waits", "runs wait")}, ${running.length} running</p>
      <div class="push">${mayChange.value && html`<${Pauses} paused=${answer.paused} again=${again} />`}</div>
    </header>
    <${Lanes} machines=${answer.machines} waiting=${waiting} running=${running} again=${again} />
    ${running.length > 0 && html`<${Running} rows=${running} again=${again} />`}
    ${waiting.length > 0 && html`<${Waiting} rows=${waiting} paused=${answer.paused} again=${again} />`}
    ${answer.rows.length + running.length === 0 &&
    html`<${Empty} title="Nothing waits" commands=${["python run.py train --queue", "python run.py train 'optim.lr=[0.1,0.01]' 'seed=[0,1,2]' --queue", "python run.py work"]}>
      <p>The first line queues a grid, the second works through it: every run gets a slot of its own.</p>
    </${Empty}>`}
  </main>`;
}

/** @param {Run} row */
function part(row) {
  const done = share(row.progress);
  return done === null ? "" : `${Math.round(done * 100)} %`;
}

/** @param {QueueRow | Run} row */
const about = (row) => [row.user, row.project, row.grid, row.attempt > 1 ? `attempt ${row.attempt}` : ""].filter(Boolean).join(" · ");

/** @param {QueueRow} a @param {QueueRow} b */
const byPlace = (a, b) => Number(a.state === "HELD") - Number(b.state === "HELD") || (a.place ?? Infinity) - (b.place ?? Infinity);

/** @param {{paused: Record<string, string>, again: () => void}} props */
function Pauses({ paused, again }) {
  const names = [...new Set([...Object.keys(paused), ...(projects.value ?? []).filter((each) => each.waiting > 0).map((each) => each.name)])].sort();
  const set = async (/** @type {string} */ name, /** @type {boolean} */ isPaused) => {
    try {
      await api.pause(name, isPaused);
      say(isPaused ? `${name} starts nothing new until you resume it.` : `${name} goes on.`);
      again();
    } catch (caught) {
      complain(caught);
    }
  };
  return names.map((name) => {
    const isPaused = name in paused;
    const who = typeof paused[name] === "string" && paused[name] ? `Paused by ${paused[name]}` : "";
    return html`<button key=${name} class=${`button ${isPaused ? "primary" : ""}`} title=${who} onClick=${() => set(name, !isPaused)}>${isPaused ? "Resume" : "Pause"} ${name}</button>`;
  });
}

/**
 * A card per slot; the one that is free first gets the first waiting run.
 * @param {{machines: readonly Machine[], waiting: readonly QueueRow[], running: readonly Run[], again: () => void}} props
 */
function Lanes({ machines, waiting, running, again }) {
  const lanes = machines.flatMap((machine) => machine.slots.map((slot) => ({ machine, slot })));
  const soonest = lanes.filter(({ slot }) => (slot.state === "free" || slot.state === "running") && !slot.reservation).sort((a, b) => (a.slot.state === "free" ? 0 : (a.slot.eta_s ?? Infinity)) - (b.slot.state === "free" ? 0 : (b.slot.eta_s ?? Infinity)));
  const queued = waiting.filter((row) => row.state === "QUEUED");
  const next = new Map(soonest.slice(0, queued.length).map(({ slot }, i) => [slot.name, queued[i].name]));
  const projectOf = new Map(running.map((run) => [run.id, run.project]));
  return html`<div class="slot-cards">
    ${lanes.map(({ machine, slot }) => html`<${SlotCard} key=${`${machine.host}/${slot.name}`} machine=${machine} slot=${slot} project=${projectOf.get(slot.run_id ?? "")} next=${next.get(slot.name)} onDone=${again} />`)}
  </div>`;
}

/** @param {{rows: Run[], again: () => void}} props */
function Running({ rows, again }) {
  return html`<section class="card-block">
    <h2>Running</h2>
    <div class="list queue-list" role="table" aria-label="Running">
      ${rows.map(
        (row) => html`<div class="list-row" role="row" key=${row.id}>
          <span class="place" role="cell"><span class="state running"></span></span>
          <span class="what" role="cell"><${RunLink} run=${row.id} in=${row.project}>${row.name}</${RunLink}><small>${about(row)}</small></span>
          <span class="why" role="cell">${[row.host, ...(/** @type {string[]} */ (row.device_names) ?? [])].filter(Boolean).join(" · ")}</span>
          <span class="since" role="cell">${part(row)}</span>
          <span class="eta" role="cell">${row.progress?.remaining_s ? `${duration(row.progress.remaining_s)} left` : age(row.started_at, now.value)}</span>
          <span class="do" role="cell">${mayChange.value && html`<button class="quiet danger" onClick=${() => act("stop", [row.id]).then(again)}>Stop</button>`}</span>
        </div>`,
      )}
    </div>
  </section>`;
}

/** @param {{rows: QueueRow[], paused: Record<string, string>, again: () => void}} props */
function Waiting({ rows, paused, again }) {
  const dragged = useSignal("");
  const target = useSignal("");
  const editing = useSignal("");
  const limit = useSignal(200);
  const doIt = (/** @type {string} */ action, /** @type {string} */ id, /** @type {unknown} */ value = undefined, isQuiet = false) => act(action, [id], value, { isQuiet }).then(again);
  const drop = (/** @type {string} */ before) => {
    const id = dragged.value;
    dragged.value = target.value = "";
    if (id && before === END) doIt("bottom", id, undefined, true);
    else if (id && id !== before) doIt("before", id, before, true);
  };
  return html`<section class="card-block">
    <h2>Waiting</h2>
    <div class="list queue-list" role="table" aria-label="Waiting">
      ${rows.slice(0, limit.value).map(
        (row) => html`<div
          key=${row.id}
          class=${`list-row ${row.state === "HELD" ? "is-held" : ""} ${target.value === row.id ? "target" : ""} ${dragged.value === row.id ? "dragged" : ""}`}
          role="row"
          draggable=${mayChange.value}
          onDragStart=${(/** @type {DragEvent} */ event) => {
            dragged.value = row.id;
            event.dataTransfer?.setData("text/plain", row.name);
          }}
          onDragEnd=${() => (dragged.value = target.value = "")}
          onDragOver=${(/** @type {DragEvent} */ event) => {
            if (!dragged.value) return;
            event.preventDefault();
            target.value = row.id;
          }}
          onDrop=${(/** @type {DragEvent} */ event) => {
            event.preventDefault();
            drop(row.id);
          }}
        >
          <span class="place" role="cell">${row.state === "HELD" ? "" : (row.place ?? "")}</span>
          <span class="what" role="cell"><${RunLink} run=${row.id} in=${row.project}>${row.name}</${RunLink}><small>${about(row)}</small></span>
          <span class=${`why ${row.state === "HELD" ? stateClass(row.state) : ""}`} role="cell">${row.reason || (row.project in paused ? "its project is paused" : row.state === "HELD" ? stateWord(row.state) : "waits for a free slot")}</span>
          <span class="since" role="cell" title="waits since">${age(row.since, now.value)}</span>
          <span class="eta" role="cell">${row.eta_s === null || row.eta_s === undefined ? "" : `from ${clock(row.eta_s, now.value)}`}</span>
          <span class="priority" role="cell">
            ${!mayChange.value
              ? row.priority !== 0 && html`<span class="faint">priority ${row.priority}</span>`
              : editing.value === row.id
              ? html`<${Editor}
                  value=${String(row.priority)}
                  label=${`Priority of ${row.name}`}
                  onDone=${(/** @type {string | null} */ text) => {
                    editing.value = "";
                    if (text !== null && Number.isInteger(Number(text))) doIt("priority", row.id, Number(text));
                  }}
                />`
              : html`<button class="quiet" title="Priority: higher starts first" onClick=${() => (editing.value = row.id)}>${row.priority === 0 ? "priority" : `priority ${row.priority}`}</button>`}
          </span>
          <span class="do" role="cell">
            ${mayChange.value && html`<button class="quiet" title="To the top" aria-label=${`${row.name} to the top`} onClick=${() => doIt("top", row.id)}>↑</button>
            <button class="quiet" title="To the end" aria-label=${`${row.name} to the end`} onClick=${() => doIt("bottom", row.id)}>↓</button>
            ${row.state === "HELD" ? html`<button class="quiet" onClick=${() => doIt("release", row.id)}>Release</button>` : html`<button class="quiet" onClick=${() => doIt("hold", row.id)}>Hold</button>`}
            <button class="quiet danger" onClick=${() => doIt("stop", row.id)}>Cancel</button>`}
          </span>
        </div>`,
      )}
      <div
        class=${`drop-end ${dragged.value ? "is-open" : ""} ${target.value === END ? "target" : ""}`}
        onDragOver=${(/** @type {DragEvent} */ event) => {
          if (!dragged.value) return;
          event.preventDefault();
          target.value = END;
        }}
        onDrop=${(/** @type {DragEvent} */ event) => {
          event.preventDefault();
          drop(END);
        }}
      ></div>
      ${rows.length > limit.value && html`<button class="button more" onClick=${() => (limit.value += 500)}>Show more (${rows.length - limit.value})</button>`}
    </div>
    <p class="faint note">${mayChange.value ? "Drag a run to where it shall start. " : ""}Held runs wait until they are released.</p>
  </section>`;
}
