import { useSignal, useSignalEffect } from "@preact/signals";
import { act, complain, say } from "../actions.js";
import * as api from "../api.js";
import { bytes, plural } from "../format.js";
import { html } from "../html.js";
import { projects } from "../state.js";
import { RunLink } from "./run-link.js";

/** @import {Cleaning} from "../types.js" */

const SHOWN = 8;

/** `isCapped`: takes the oldest until each project keeps no more than a size, and not what ended long ago. */
/** @type {{id: string, rule: string, isCapped: boolean, title: string, about: string, what: string, undo: string}[]} */
const RULES = [
  { id: "checkpoints", rule: "checkpoints", isCapped: false, title: "Old checkpoints", about: "of runs that are neither the best of their grid nor tagged", what: "Checkpoints of", undo: "restore_checkpoints" },
  { id: "failed", rule: "failed", isCapped: false, title: "Old failed runs", about: "that did not complete and have no tag", what: "", undo: "restore" },
  { id: "checkpoints-above", rule: "checkpoints", isCapped: true, title: "Checkpoints above a size", about: "the oldest first, but not of the best of a grid or of tagged runs", what: "Checkpoints of", undo: "restore_checkpoints" },
  { id: "files-above", rule: "files", isCapped: true, title: "Stored files above a size", about: "the oldest runs with all they stored, but not the best of a grid or tagged ones", what: "", undo: "restore" },
];
const DAYS = [7, 14, 30, 90];
const SIZES_GB = [10, 50, 200];
const GB = 1e9;

/** Deletes by rule: what a rule would take is shown with its bytes before anything is done, and can be undone. @param {{onDone: () => void}} props */
export function Cleaner({ onDone }) {
  const chosen = useSignal(""); // a rule looks at every run of the home, so that nobody pays for one that was not asked for
  const days = useSignal(30);
  const keep = useSignal(50); // GB
  const project = useSignal("");
  const plan = useSignal(/** @type {Cleaning | null} */ (null));
  const problem = useSignal("");
  const tick = useSignal(0);
  const isBusy = useSignal(false);
  const ruleOf = () => RULES.find((each) => each.id === chosen.value) ?? RULES[0];
  const asked = () => {
    const { rule, isCapped } = ruleOf();
    const how = isCapped ? { older_than_days: 0, keep_bytes: keep.value * GB } : { older_than_days: days.value };
    return { rule, ...how, ...(project.value && { project: project.value }) };
  };
  useSignalEffect(() => {
    tick.value;
    const stop = new AbortController();
    plan.value = null;
    problem.value = "";
    if (!chosen.value) return;
    api.cleaning(asked(), stop.signal).then(
      (found) => (plan.value = found),
      (error) => stop.signal.aborted || (problem.value = error.message),
    );
    return () => stop.abort();
  });
  const { about, what, undo, isCapped } = ruleOf();
  const found = plan.value;
  const clean = async () => {
    if (!found) return;
    isBusy.value = true;
    try {
      const { count, size_bytes: size, ids } = await api.clean({ ...asked(), plan: found.plan });
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
      <div class="chips" role="group" aria-label="What">${RULES.map((each) => html`<button key=${each.id} class=${`chip ${chosen.value === each.id ? "on" : ""}`} aria-pressed=${chosen.value === each.id} onClick=${() => (chosen.value = each.id)}>${each.title}</button>`)}</div>
      ${!chosen.value && html`<span class="faint">what it would take is shown before anything is done</span>`}
      ${chosen.value && html`<span class="faint">${about}</span>`}
    </div>
    ${chosen.value &&
    html`<div class="cleaner-choice">
      ${isCapped
        ? html`<span class="faint">each project keeps</span><${Amounts} label="How much stays" unit="GB" choices=${SIZES_GB} amount=${keep} most=${9e6} />`
        : html`<span class="faint">ended more than</span><${Amounts} label="How long ago" unit="days" choices=${DAYS} amount=${days} most=${36_500} /><span class="faint">ago</span>`}
      <label class="faint cleaner-project">in <select class="input" aria-label="Project" value=${project.value} onChange=${(/** @type {any} */ event) => (project.value = event.target.value)}>
        <option value="">all projects</option>
        ${(projects.value ?? []).map((each) => html`<option key=${each.name} value=${each.name}>${each.name}</option>`)}
      </select></label>
    </div>`}
    ${problem.value && html`<p class="bad" role="alert">${problem.value}</p>`}
    ${chosen.value && !found && !problem.value && html`<p class="faint">Looking …</p>`}
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

/**
 * Some usual amounts, or any other.
 * @param {{label: string, unit: string, choices: readonly number[], amount: import("@preact/signals").Signal<number>, most: number}} props
 */
function Amounts({ label, unit, choices, amount, most }) {
  const set = (/** @type {any} */ event) => (amount.value = Math.min(most, Math.max(0, Number(event.target.value) || 0)));
  return html`<div class="chips" role="group" aria-label=${label}>
    ${choices.map((each) => html`<button key=${each} class=${`chip ${amount.value === each ? "on" : ""}`} aria-pressed=${amount.value === each} onClick=${() => (amount.value = each)}>${each} ${unit}</button>`)}
    <label class="chip cleaner-amount">or <input class="input" type="number" min="0" max=${most} aria-label=${unit} value=${amount.value} onChange=${set} /> ${unit}</label>
  </div>`;
}

/** @param {Record<string, number>} kept */
const keptWords = (kept) => (Object.keys(kept).length ? `Kept: ${Object.entries(kept).map(([why, n]) => `${n} ${why}`).join(", ")}.` : "");
