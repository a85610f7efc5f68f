import { useSignal, useSignalEffect } from "@preact/signals";
import { act, complain, say } from "../actions.js";
import * as api from "../api.js";
import { bytes, plural } from "../format.js";
import { html } from "../html.js";
import { RunLink } from "./run-link.js";

/** @import {Cleaning} from "../types.js" */

const SHOWN = 8;

/** @type {{rule: string, title: string, about: string, what: string, undo: string}[]} */
const RULES = [
  { rule: "checkpoints", title: "Old checkpoints", about: "of runs that are neither the best of their grid nor tagged", what: "Checkpoints of", undo: "restore_checkpoints" },
  { rule: "failed", title: "Old failed runs", about: "that did not complete and have no tag", what: "", undo: "restore" },
];
const DAYS = [7, 14, 30, 90];

/** Deletes by rule: what a rule would take is shown with its bytes before anything is done, and can be undone. @param {{onDone: () => void}} props */
export function Cleaner({ onDone }) {
  const rule = useSignal(""); // a rule looks at every run of the home, so that nobody pays for one that was not asked for
  const days = useSignal(30);
  const plan = useSignal(/** @type {Cleaning | null} */ (null));
  const problem = useSignal("");
  const tick = useSignal(0);
  const isBusy = useSignal(false);
  useSignalEffect(() => {
    tick.value;
    const stop = new AbortController();
    plan.value = null;
    problem.value = "";
    if (!rule.value) return;
    api.cleaning(rule.value, days.value, stop.signal).then(
      (found) => (plan.value = found),
      (error) => stop.signal.aborted || (problem.value = error.message),
    );
    return () => stop.abort();
  });
  const { about, what, undo } = RULES.find((each) => each.rule === rule.value) ?? RULES[0];
  const found = plan.value;
  const clean = async () => {
    if (!found) return;
    isBusy.value = true;
    try {
      const { count, size_bytes: size, ids } = await api.clean(found.rule, days.value, found.plan);
      const back = () => act(undo, ids).then(() => {
        onDone();
        tick.value += 1;
      });
      say(`${what} ${plural(count, "run")}, ${bytes(size)}, moved to the trash.`.trim(), { undo: back });
      onDone();
    } catch (error) {
      complain(error);
    }
    isBusy.value = false;
    tick.value += 1;
  };
  return html`<section class="card-block cleaner" aria-label="Clean by rule">
    <h2>Clean by rule</h2>
    <div class="cleaner-choice">
      <div class="chips" role="group" aria-label="What">${RULES.map((each) => html`<button key=${each.rule} class=${`chip ${rule.value === each.rule ? "on" : ""}`} aria-pressed=${rule.value === each.rule} onClick=${() => (rule.value = each.rule)}>${each.title}</button>`)}</div>
      ${!rule.value && html`<span class="faint">what it would take is shown before anything is done</span>`}
      ${rule.value && html`<span class="faint">${about}, ended more than</span>
      <div class="chips" role="group" aria-label="How long ago">${DAYS.map((each) => html`<button key=${each} class=${`chip ${days.value === each ? "on" : ""}`} aria-pressed=${days.value === each} onClick=${() => (days.value = each)}>${each} days</button>`)}
        <label class="chip cleaner-days">or <input class="input" type="number" min="0" max="36500" aria-label="Days" value=${days.value} onChange=${(/** @type {any} */ event) => (days.value = Math.max(0, Number(event.target.value) || 0))} /> days</label>
      </div>
      <span class="faint">ago</span>`}
    </div>
    ${problem.value && html`<p class="bad" role="alert">${problem.value}</p>`}
    ${rule.value && !found && !problem.value && html`<p class="faint">Looking …</p>`}
    ${found && found.count === 0 && html`<p class="muted">Nothing to clean. ${keptWords(found.kept)}</p>`}
    ${found &&
    found.count > 0 &&
    html`<div class="list">
        ${found.runs.slice(0, SHOWN).map((each) => html`<div class="list-row" key=${each.id}><span class="what"><${RunLink} run=${each.id} in=${each.project}>${each.name}</${RunLink}><small>${each.project}</small></span><span class="value">${bytes(each.size_bytes)}</span></div>`)}
        ${found.count > SHOWN && html`<p class="faint note">and ${plural(found.count - SHOWN, "run")} more</p>`}
      </div>
      <div class="cleaner-foot">
        <p><b>${what} ${plural(found.count, "run")}, ${bytes(found.size_bytes)}</b> <span class="faint">${keptWords(found.kept)}</span></p>
        <button class="button danger" disabled=${isBusy.value} onClick=${clean}>Move to the trash</button>
      </div>`}
  </section>`;
}

/** @param {Record<string, number>} kept */
const keptWords = (kept) => (Object.keys(kept).length ? `Kept: ${Object.entries(kept).map(([why, n]) => `${n} ${why}`).join(", ")}.` : "");
