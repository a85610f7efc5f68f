import { clock, duration, share } from "../format.js";
import { html } from "../html.js";
import { now } from "../state.js";

/** @import {Machine, Slot} from "../types.js" */

/**
 * A slot that can be read from across the room.
 * @param {{machine: Machine, slot: Slot}} props
 */
export function ScreenLane({ machine, slot }) {
  const part = share(slot.progress) ?? 0;
  const held = slot.reservation;
  const what = {
    running: slot.run_name ?? "a run",
    busy: slot.used_by.length ? `${slot.used_by[0].user || "somebody"}, outside` : "used outside",
    reserved: `reserved by ${held?.user ?? ""}`,
    free: "free",
    sick: "out of order",
  }[slot.state];
  const until = slot.state === "running" && slot.eta_s ? duration(slot.eta_s) : slot.state === "reserved" && held ? `until ${clock((Date.parse(held.until) - now.value) / 1000, now.value)}` : "";
  return html`<article class=${`screen-lane is-${slot.state}`}>
    <p><span class="muted">${slot.label}</span><span class="faint">${machine.host.split(".")[0]}</span></p>
    <h2>${what}</h2>
    <div class="bar"><i style=${{ width: `${slot.state === "running" ? part * 100 : 0}%` }}></i></div>
    <p><span class="muted">${slot.state === "running" ? slot.user : (held?.why ?? "")}</span><b>${until}</b></p>
  </article>`;
}
