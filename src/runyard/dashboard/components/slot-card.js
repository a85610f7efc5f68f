import { bytes, clock, duration, moment, share } from "../format.js";
import { html } from "../html.js";
import { mayChange } from "../session.js";
import { now } from "../state.js";
import { ReserveMenu } from "./reserve-menu.js";
import { RunLink } from "./run-link.js";

/** @import {Machine, Slot} from "../types.js" */

/** @type {Record<string, string>} */
const WORDS = { running: "running", busy: "used outside the queue", reserved: "reserved", free: "free", sick: "out of order" };

/**
 * A slot as a lane of the queue page: what runs, whose it is, until when, and what comes next.
 * @param {{machine: Machine, slot: Slot, project?: string, next?: string, onDone: () => void}} props
 */
export function SlotCard({ machine, slot, project, next, onDone }) {
  const part = share(slot.progress) ?? 0;
  const held = slot.reservation;
  const measured = [slot.util_percent === null ? "" : `${Math.round(slot.util_percent)} % used`, slot.memory_total_bytes ? `${bytes(slot.memory_used_bytes)} of ${bytes(slot.memory_total_bytes)}` : "", slot.temperature_c === null ? "" : `${Math.round(slot.temperature_c)} °C`];
  const facts = measured.filter(Boolean).join(" · ");
  return html`<article class=${`slot-card ${slot.state}`} aria-label=${`${slot.label} of ${machine.host}`}>
    <header>
      <h3>${slot.label || slot.name}</h3>
      <span class="faint">${[slot.device, machine.host.split(".")[0]].filter(Boolean).join(" · ")}</span>
      ${mayChange.value && html`<span class="push"><${ReserveMenu} host=${machine.host} slot=${slot} onDone=${onDone} /></span>`}
    </header>
    <div class="slot-what">
      ${slot.state === "running" && slot.run_id
        ? html`<b><${RunLink} run=${slot.run_id} in=${project}>${slot.run_name}</${RunLink}></b><span class="muted">${slot.user}</span>`
        : html`<b class="slot-word">${WORDS[slot.state]}</b>`}
    </div>
    ${slot.state === "running" && html`<div class="bar"><i style=${{ width: `${part * 100}%` }}></i></div>`}
    ${slot.state === "busy" && (slot.used_by.length ? slot.used_by.map((each) => html`<p class="slot-line" key=${each.pid}><b>${each.user || "somebody"}</b> ${each.name || "process"} <span class="faint">${each.pid}${each.memory_bytes ? ` · ${bytes(each.memory_bytes)}` : ""}</span></p>`) : html`<p class="slot-line">${slot.reason}</p>`)}
    ${slot.state === "sick" && html`<p class="slot-line">${slot.reason}</p>`}
    ${held && html`<p class="slot-line slot-held"><b>${held.user}</b> until ${moment(held.until)}${held.why ? html` <span class="faint">${held.why}</span>` : ""}</p>`}
    <footer>
      <span>${slot.state === "running" ? [`${Math.round(part * 100)} %`, slot.eta_s ? `${duration(slot.eta_s)} left, until ${clock(slot.eta_s, now.value)}` : ""].filter(Boolean).join(" · ") : facts}</span>
      ${next && html`<span class="slot-next">next: ${next}</span>`}
    </footer>
  </article>`;
}
