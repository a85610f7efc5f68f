import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import * as api from "../api.js";
import { CurveStore } from "../charts/store.js";
import { overnight } from "../components/machine-strip.js";
import { ScreenChart } from "../components/screen-chart.js";
import { ScreenLane } from "../components/screen-lane.js";
import { useAnswer } from "../components/use-answer.js";
import { clock, count, duration, measured, plural, share, stateClass, stateWord } from "../format.js";
import { html } from "../html.js";
import { changed, isLive, machines, now, projects, queue } from "../state.js";

/** @import {Machine, Project, Run} from "../types.js" */

const TURN_MS = 20_000; // each project is seen so long
const MOST_RUNS = 6;
const MOST_LANES = 8;
const NO_KEY = ["-"];

/** For the wall of the meeting room: what runs, until when, and how it goes; turns between projects by itself. */
export function ScreenPage() {
  const turn = useSignal(0);
  useEffect(() => {
    const timer = setInterval(() => (turn.value += 1), TURN_MS);
    return () => clearInterval(timer);
  }, []);
  const all = projects.value ?? [];
  const busy = all.filter((each) => each.running > 0);
  const shown = busy.length ? busy : all.slice(0, 1);
  const project = shown.length ? shown[turn.value % shown.length] : null;
  const lanes = lanesOf(machines.value);
  const waiting = (queue.value?.counts.waiting ?? 0) + (queue.value?.counts.held ?? 0);
  const running = all.reduce((sum, each) => sum + each.running, 0);
  const ended = overnight.value?.ended ?? {};
  const bad = (ended.FAILED ?? 0) + (ended.TIMED_OUT ?? 0) + (ended.OUT_OF_MEMORY ?? 0);
  const eta = overnight.value?.eta_s ?? null;
  return html`<main class="screen" aria-label="Big screen">
    <header>
      <span class="screen-time">${new Date(now.value).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}</span>
      <span><b>${count(running)}</b> running</span>
      <span><b>${count(waiting)}</b> waiting${eta !== null && waiting + running > 0 ? html`, done <b>${clock(eta, now.value)}</b>` : ""}</span>
      <span class="screen-night"><b class="ok">${count(ended.COMPLETED ?? 0)}</b> done since yesterday${bad > 0 ? html`, <b class="bad">${count(bad)}</b> failed` : ""}</span>
      <span class=${`live ${isLive.value ? "on" : ""}`} role="status">${isLive.value ? "" : "offline"}</span>
    </header>
    <section class="screen-lanes" aria-label="Machines">
      ${lanes.slice(0, MOST_LANES).map(({ machine, slot }) => html`<${ScreenLane} key=${`${machine.host}/${slot.name}`} machine=${machine} slot=${slot} />`)}
      ${lanes.length > MOST_LANES && html`<p class="screen-more">and ${plural(lanes.length - MOST_LANES, "slot")} more</p>`}
    </section>
    ${project ? html`<${ProjectScreen} key=${project.name} project=${project} place=${turn.value % shown.length} places=${shown.length} />` : html`<p class="screen-empty">No run yet</p>`}
  </main>`;
}

/** GPUs, and CPU slots only where something runs on them or nothing else is there. @param {readonly Machine[]} all */
function lanesOf(all) {
  const lanes = all.flatMap((machine) => machine.slots.map((slot) => ({ machine, slot })));
  const worth = lanes.filter(({ slot }) => slot.kind === "gpu" || slot.state !== "free");
  return worth.length ? worth : lanes.slice(0, 1);
}

/** @param {{project: Project, place: number, places: number}} props */
function ProjectScreen({ project, place, places }) {
  const metric = project.metrics[0]?.key ?? "";
  const goal = project.metrics[0]?.goal ?? "max";
  const statistic = goal === "min" ? "min" : "max";
  const isRunning = project.running > 0;
  const { answer } = useAnswer(
    (signal) => api.runs({ project: project.name, query: isRunning ? 'state == "RUNNING"' : 'state == "COMPLETED"', sort: isRunning ? "started_at" : "-ended_at", limit: MOST_RUNS, metrics: metric ? [metric] : NO_KEY, config: NO_KEY }, signal),
    [project.name, isRunning],
    3000,
  );
  const best = useAnswer((signal) => (metric ? api.runs({ project: project.name, sort: `${statistic === "max" ? "-" : ""}metric:${metric}.${statistic}`, limit: 1, metrics: [metric], config: NO_KEY }, signal) : Promise.resolve(null)), [project.name, metric], 10_000);
  const runs = answer?.runs ?? [];
  const store = useMemo(() => new CurveStore(), []);
  const asked = useSignal({ metric, ids: /** @type {readonly string[]} */ ([]) });
  const ids = runs.map((run) => run.id);
  if (asked.peek().ids.join() !== ids.join() || asked.peek().metric !== metric) asked.value = { metric, ids };
  useEffect(() => () => store.stop(), []);
  useSignalEffect(() => {
    if (asked.value.metric) store.want({ keys: new Set([asked.value.metric]), runs: asked.value.ids, x: "step" });
  });
  useSignalEffect(() => {
    const { runs: moved, everything } = changed.value;
    store.goOn(everything ? null : moved.filter((id) => asked.peek().ids.includes(id)));
  });
  const curves = useComputed(() => store.curves(asked.value.metric).value);
  const leader = best.answer?.runs[0];
  const top = leader?.summary[metric]?.[statistic];
  return html`<section class="screen-project" aria-label=${project.name}>
    <div class="screen-head">
      <h1>${project.name}</h1>
      ${metric && html`<span class="muted">${metric}</span>`}
      ${leader && top !== null && top !== undefined && html`<span class="screen-best">best <b>${measured(top)}</b> <small>${leader.name}</small></span>`}
      ${places > 1 && html`<span class="screen-dots" aria-hidden="true">${Array.from({ length: places }, (_, i) => html`<i key=${i} class=${i === place ? "on" : ""}></i>`)}</span>`}
    </div>
    <div class="screen-body">
      ${metric ? html`<${ScreenChart} metric=${metric} runs=${runs} curves=${curves} />` : html`<p class="screen-empty">Name a metric under [metrics] in runyard.toml, and its curves are here.</p>`}
      <ul class="screen-runs">${runs.map((run, i) => html`<${RunLine} key=${run.id} run=${run} colour=${i} value=${run.summary[metric]?.[isRunning ? "last" : statistic]} />`)}</ul>
    </div>
  </section>`;
}

/** @param {{run: Run, colour: number, value: number | null | undefined}} props */
function RunLine({ run, colour, value }) {
  const part = share(run.progress);
  const left = run.progress?.remaining_s;
  return html`<li>
    <i class="dot" style=${{ background: `var(--c${(colour % 7) + 1})` }}></i>
    <span class="screen-name"><b>${run.name.split(/(?<=,)/).map((part) => html`${part}<wbr />`)}</b><small>${run.user}</small></span>
    <span class="screen-value">${value === null || value === undefined ? "" : measured(value)}</span>
    <span class="screen-eta">${run.state === "RUNNING" ? (left ? html`${duration(left)} <small>left</small>` : html`<small>running</small>`) : html`<small class=${stateClass(run.state)}>${stateWord(run.state)}</small>`}</span>
    ${run.state === "RUNNING" && part !== null && html`<span class="bar"><i style=${{ width: `${part * 100}%` }}></i></span>`}
  </li>`;
}
