import { useSignal } from "@preact/signals";
import { complain, say } from "../actions.js";
import * as api from "../api.js";
import { moment } from "../format.js";
import { html } from "../html.js";
import { now } from "../state.js";
import { Popover } from "./popover.js";

/** @import {Slot} from "../types.js" */

const HOURS = /** @type {[string, number][]} */ ([["1 hour", 1], ["2 hours", 2], ["4 hours", 4], ["8 hours", 8], ["1 day", 24], ["3 days", 72]]);

/**
 * Keeps the queue off a slot for some hours, or gives it back.
 * @param {{host: string, slot: Slot, onDone: () => void}} props
 */
export function ReserveMenu({ host, slot, onDone }) {
  const hours = useSignal(4);
  const why = useSignal("");
  const held = slot.reservation;
  const name = slot.label || slot.name;
  const end = async () => {
    try {
      await api.endReservation(host, slot.name);
      say(`${name} is free for the queue again.`);
      onDone();
    } catch (error) {
      complain(error);
    }
  };
  if (held) return html`<button class="quiet" title=${`Reserved until ${moment(held.until)}`} onClick=${end}>End reservation</button>`;
  const reserve = async (/** @type {() => void} */ close) => {
    try {
      const made = await api.reserve(host, slot.name, hours.value, why.value);
      close();
      why.value = "";
      say(`${name} is reserved until ${moment(made.until)}.`, { undo: end });
      onDone();
    } catch (error) {
      complain(error);
    }
  };
  return html`<${Popover} className="quiet" label="Reserve" title=${`Keep the queue off ${name}`} menuClass="reserve-menu">
    ${(/** @type {() => void} */ close) => html`<form
      onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        reserve(close);
      }}
    >
      <p class="menu-head">The queue starts nothing new on ${name} for</p>
      <div class="chips">${HOURS.map(([word, each]) => html`<button type="button" key=${each} class=${`chip ${hours.value === each ? "on" : ""}`} aria-pressed=${hours.value === each} onClick=${() => (hours.value = each)}>${word}</button>`)}</div>
      <input class="input" aria-label="The reason" placeholder="what for: a demo, a notebook …" maxlength="500" value=${why.value} onInput=${(/** @type {any} */ event) => (why.value = event.target.value)} />
      <div class="reserve-foot"><span class="faint">until ${moment(new Date(now.value + hours.value * 3600_000).toISOString())}</span><button class="button primary" type="submit">Reserve</button></div>
    </form>`}
  </${Popover}>`;
}
