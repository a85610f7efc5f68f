import { signal } from "@preact/signals";
import { bytes, clock, count, duration, plural, share } from "../format.js";
import { html } from "../html.js";
import { hover, machines, now, projects, queue, select } from "../state.js";

/** @import {Machine, Morning, Slot} from "../types.js" */

/** What happened since yesterday evening, for the line beside the machines. @type {import("@preact/signals").Signal<Morning | null>} */
export const overnight = signal(/** @type {Morning | null} */ (null));

const MOST_LANES = 4; // besides them free CPU slots are one lane together

/** Every machine and GPU, what runs there and whose it is; then the queue, and the night. */
export function MachineStrip() {
  const lanes = machines.value.flatMap((machine) => machine.slots.map((slot) => ({ machine, slot })));
  const isMany = lanes.length > MOST_LANES;
  const shown = isMany ? lanes.filter(({ slot }) => slot.kind === "gpu" || slot.state !== "free") : lanes;
  const hidden = lanes.length - shown.length;
  const next = waitingNames();
  return html`<section class="yard" aria-label="Machines and queue">
    <div class="lanes">
      ${shown.map(({ machine, slot }) => html`<${Lane} key=${`${machine.host}/${slot.name}`} machine=${machine} slot=${slot} next=${slot.state === "free" ? next.shift() : undefined} />`)}
      ${hidden > 0 &&
      html`<div class="lane free">
        <div class="who"><b>${plural(hidden, "CPU slot")} free</b></div>
        <${HostLine} machine=${machines.value[0]} />
      </div>`}
    </div>
    <${QueueLine} />
  </section>`;
}

/** Names of waiting runs in the order in which they start. */
const waitingNames = () => (queue.value?.rows ?? []).filter((row) => row.state === "QUEUED").sort((a, b) => (a.place ?? 0) - (b.place ?? 0)).map((row) => row.name);

/** @param {{machine: Machine, slot: Slot, next?: string}} props */
function Lane({ machine, slot, next }) {
  const part = share(slot.progress) ?? 0;
  const place = `${machine.host.split(".")[0]} · ${slot.label || slot.name}`;
  const where = `${machine.host.split(".")[0]}·${(slot.label || slot.name).replace(/^GPU /, "")}`;
  const id = slot.run_id;
  const memory = slot.memory_total_bytes ? `${bytes(slot.memory_used_bytes)} / ${bytes(slot.memory_total_bytes)}` : "";
  const facts = [slot.temperature_c === null || slot.temperature_c === undefined ? "" : `${Math.round(slot.temperature_c)} °C`, memory].filter(Boolean).join(" · ");
  const what = {
    running: slot.run_name ?? id ?? "a run",
    busy: slot.used_by.length ? slot.used_by.map((each) => `${each.user || "somebody"}: ${each.name || each.pid}`).join(", ") : slot.user || "somebody",
    reserved: slot.reservation ? `reserved by ${slot.reservation.user}` : "reserved",
    free: "free",
    sick: slot.reason ?? "out of order",
  }[slot.state];
  const right = slot.state === "running" ? (slot.eta_s ? duration(slot.eta_s) : "") : slot.state === "busy" ? "outside" : slot.reservation ? `until ${clock((Date.parse(slot.reservation.until) - now.value) / 1000, now.value)}` : "";
  const left = slot.state === "running" ? [slot.user, slot.progress === null ? "" : `${Math.round(part * 100)} %`].filter(Boolean).join(" · ") : slot.state === "busy" ? "left alone" : slot.state === "free" ? (next ? `next: ${next}` : "waiting for work") : slot.state === "reserved" ? slot.reservation?.why || "left alone" : "needs a look";
  const open = () => id && select([id]);
  return html`<div
    class=${`lane ${slot.state} ${id ? "opens" : ""}`}
    onMouseEnter=${() => hover(id)}
    onMouseLeave=${() => hover(null)}
    onClick=${open}
    title=${[place, what, left, slot.state === "busy" ? slot.reason : "", slot.device, facts].filter(Boolean).join("\n")}
  >
    <div class="lane-in">
      <div class="who"><span class="where">${where}</span><b>${what}</b><span class="eta">${right}</span></div>
      <div class="bar" role="progressbar" aria-label=${place} aria-valuenow=${Math.round(part * 100)} aria-valuemin="0" aria-valuemax="100">
        <i style=${{ width: `${slot.state === "busy" ? (slot.util_percent ?? 100) : part * 100}%` }}></i>
      </div>
      <div class="facts"><span class="lane-said">${left}</span><span class="lane-measured">${facts || html`<${HostFacts} machine=${machine} />`}</span></div>
    </div>
  </div>`;
}

/** @param {{machine: Machine}} props */
function HostFacts({ machine }) {
  return [machine.cpu_percent === null ? "" : `CPU ${Math.round(machine.cpu_percent)} %`, machine.memory_total_bytes ? `${bytes(machine.memory_used_bytes)} / ${bytes(machine.memory_total_bytes)}` : ""].filter(Boolean).join(" · ");
}

/** @param {{machine: Machine | undefined}} props */
function HostLine({ machine }) {
  if (!machine) return null;
  return html`<div class="bar"></div><div class="facts"><span>${machine.host.split(".")[0]}</span><span><${HostFacts} machine=${machine} /></span></div>`;
}

function QueueLine() {
  const counts = queue.value?.counts ?? {};
  const waiting = (counts.waiting ?? 0) + (counts.held ?? 0);
  const running = (projects.value ?? []).reduce((sum, each) => sum + each.running, 0);
  const eta = overnight.value?.eta_s ?? null;
  const ended = overnight.value?.ended ?? null;
  const failed = (ended?.FAILED ?? 0) + (ended?.TIMED_OUT ?? 0);
  const causes = overnight.value?.failures.length ?? 0;
  const oom = ended?.OUT_OF_MEMORY ?? 0;
  return html`<div class="night">
    <a href="#/queue">
      ${waiting || running
        ? html`<b>${count(waiting)}</b> waiting, <b>${count(running)}</b> running${eta !== null && waiting + running > 0 ? html`, done <b>${clock(eta, now.value)}</b>` : ""}`
        : html`The queue is empty`}
    </a>
    <a href="#/morning">
      ${ended === null
        ? html`<span class="faint">Since yesterday …</span>`
        : Object.values(ended).every((n) => n === 0)
        ? html`Nothing ended since yesterday`
        : html`Since yesterday: <b>${count(ended.COMPLETED ?? 0)}</b> done${failed > 0 && html`, <span class="bad"><b>${failed}</b> failed</span>${causes > 0 ? ` (${plural(causes, "cause")})` : ""}`}${oom > 0 && html`, <span class="warn"><b>${oom}</b> <abbr title="out of memory">OOM</abbr></span>`}`}
    </a>
  </div>`;
}
