import { useSignal, useSignalEffect, useComputed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { html } from "../html.js";
import { hovered, selection, toggle } from "../state.js";
import { ChartTip } from "./chart-tip.js";
import { crosshair, pointAt } from "./crosshair.js";
import { nearestIndex } from "./curves.js";
import { linesOf } from "./lines.js";
import { short, writerOf } from "./numbers.js";
import { placeName, Plot, valueAt } from "./plot.js";
import { csvOfCurves, save } from "./saving.js";
import { groupsAs, isLogX, isLogY, pinned, smoothing, togglePin, xKind } from "./settings.js";
import { palette, shown } from "./shown.js";
import { dressed } from "./theme.js";

/** @import {CurveStore} from "./store.js" */
/** @import {Visible} from "./visible.js" */
/** @import {Tip} from "./chart-tip.js" */
/** @import {Line} from "./plot.js" */
/** @import {Curve} from "./curves.js" */
/** @import {XKind} from "./store.js" */
/** How a value is written. @typedef {(value: number) => string} Write */
/** @template T @typedef {import("@preact/signals").Signal<T>} Signal */
/** @template T @typedef {import("@preact/signals").ReadonlySignal<T>} ReadonlySignal */

const MOST_IN_TIP = 7;
const STACKED_PX = 62; // of the y axis of cards on one time axis

/**
 * One metric of all that is shown: curves, the value under the pointer, and what can be done with it.
 * @param {object} props
 * @param {string} props.metric
 * @param {CurveStore} props.store
 * @param {Visible} props.visible
 * @param {Signal<string>} props.large the metric that fills the window, "" for none
 * @param {ReadonlySignal<XKind>} [props.axis] instead of the one that the person chose
 * @param {Signal<[number, number] | null>} [props.range] shared by cards that zoom together
 * @param {boolean} [props.isShort]
 */
export function MetricCard({ metric, store, visible, large, axis = xKind, range, isShort = false }) {
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = /** @type {{current: Plot | null}} */ (useRef(null));
  const ownZoom = useSignal(/** @type {[number, number] | null} */ (null));
  const zoom = range ?? ownZoom;
  const part = useSignal(/** @type {ReadonlyMap<string, Curve> | null} */ (null));
  const tip = useSignal(/** @type {Tip | null} */ (null));
  const ownLog = useSignal(/** @type {boolean | null} */ (null));
  const gutter = range ? STACKED_PX : undefined;
  const write = useMemo(() => writerOf(metric), [metric]);
  const isSeen = useComputed(() => visible.names.value.has(metric));
  const isLog = useComputed(() => ownLog.value ?? isLogY.value);
  const drawn = useComputed(() =>
    linesOf({ shown: shown.value, curves: part.value ?? store.curves(metric).value, palette: palette.value, smoothing: smoothing.value, groupsAs: groupsAs.value }),
  );
  const lit = useComputed(() => litItem(hovered.value?.run ?? null));
  const remark = useComputed(() => remarkOf(drawn.value.lines, { lit: lit.value, isLog: isLog.value, isCrowd: drawn.value.isCrowd, axis: axis.value, write }));
  const isKnown = useComputed(() => shown.value.every((item) => item.runIds.every((run) => store.curves(metric).value.has(run))));

  useEffect(() => visible.watch(/** @type {Element} */ (card.current), metric), [metric]);

  // The chart itself lives only while it is on the screen.
  useSignalEffect(() => {
    if (!isSeen.value) return;
    const made = new Plot(/** @type {HTMLElement} */ (host.current), {
      look: { write, gutter, x: axis.peek(), isLogX: isLogX.peek() && !range, isLogY: isLog.peek() },
      onHover: (id, x, at) => {
        pointAt(id, x, axis.peek());
        tip.value = x === null || !at ? null : tipOf(drawn.peek().lines, { id, x, at, axis: axis.peek(), write });
      },
      onZoom: (wanted) => (zoom.value = wanted),
      onClick: (id) => !selection.peek().includes(id) && toggle(id),
    });
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  });
  useSignalEffect(() => {
    const look = { write, gutter, x: axis.value, isLogX: isLogX.value && !range, isLogY: isLog.value };
    if (isSeen.value) plot.current?.show(drawn.value.lines, look, zoom.value);
  });
  useSignalEffect(() => {
    dressed.value;
    plot.current?.repaint();
  });
  useSignalEffect(() => {
    const x = crosshair.value;
    if (isSeen.value) plot.current?.highlight(lit.value === null && x === null ? null : { id: lit.value, x: x ?? NaN });
  });
  // Another axis makes the zoomed range meaningless.
  useSignalEffect(() => {
    axis.value;
    zoom.value = null;
  });
  useSignalEffect(() => {
    const zoomed = zoom.value;
    const runs = shown.value.flatMap((item) => item.runIds);
    part.value = null;
    if (!zoomed || !isSeen.value) return;
    const stop = new AbortController();
    store
      .part(metric, runs, zoomed, (host.current?.clientWidth ?? 0) * devicePixelRatio, stop.signal)
      .then((curves) => (part.value = curves))
      .catch((error) => {
        if (!stop.signal.aborted) store.problem.value = error.message;
      });
    return () => stop.abort();
  });

  const isLarge = large.value === metric;
  const actions = useMemo(() => ({ png: () => savePicture(plot.current, metric), csv: () => saveNumbers(part.peek() ?? store.curves(metric).peek(), metric, axis.peek()) }), [metric]);
  return html`<article ref=${card} class=${`chart-card ${isLarge ? "is-large" : ""} ${isShort ? "is-short" : ""}`} aria-label=${metric} data-metric=${metric}>
    <header>
      <h3 title=${metric}>${metric}</h3>
      <span class="card-remark">${remark}</span>
      ${zoom.value && html`<button class="quiet on card-reset" onClick=${() => (zoom.value = null)} title="Show all (double click)">reset zoom</button>`}
      <span class="card-tools">
        <button class=${`quiet ${isLog.value ? "on" : ""}`} aria-pressed=${isLog.value} onClick=${() => (ownLog.value = !isLog.value)} title="Logarithmic y axis">log</button>
        <button class=${`quiet ${pinned.value.includes(metric) ? "on" : ""}`} aria-pressed=${pinned.value.includes(metric)} onClick=${() => togglePin(metric)} title="Keep on top">pin</button>
        <button class="quiet" onClick=${actions.png} title="Save as a picture">png</button>
        <button class="quiet" onClick=${actions.csv} title="Save the numbers">csv</button>
        <button class="quiet" onClick=${() => (large.value = isLarge ? "" : metric)} title=${isLarge ? "Back (Escape)" : "Fill the window"}>${isLarge ? "close" : "expand"}</button>
      </span>
    </header>
    <div class="chart-host" ref=${host} role="img" aria-label=${`Chart of ${metric}`}>
      ${isSeen.value && isKnown.value && !drawn.value.lines.length && html`<p class="chart-empty">None of these runs logged it.</p>`}
      <${ChartTip} tip=${tip} />
    </div>
  </article>`;
}

/**
 * The shown run or group that a hovered id belongs to.
 * @param {string | null} id
 */
function litItem(id) {
  if (id === null) return null;
  const found = shown.value.find((item) => item.id === id) ?? shown.value.find((item) => item.runIds.includes(id));
  return found?.id ?? null;
}

/**
 * The grey words beside the title.
 * @param {Line[]} lines
 * @param {{lit: string | null, isLog: boolean, isCrowd: boolean, axis: XKind, write: Write}} now
 */
function remarkOf(lines, { lit, isLog, isCrowd, axis, write }) {
  const x = crosshair.value;
  const on = lit === null ? undefined : lines.find((line) => line.id === lit);
  if (on && x !== null) {
    const place = nearestIndex(on.x, x);
    if (place >= 0) return `${valueText(on, place, write)} · ${placeName(on.x[place], axis)}`;
  }
  const words = [];
  const group = lines.find((line) => line.members);
  if (isCrowd) words.push(`${lines.length - 1} curves as ${groupsAs.value === "std" ? "mean ± std" : "mean, min–max"}`);
  else if (group) words.push(`${groupsAs.value === "std" ? "mean ± std" : "mean, min–max"}, n = ${Math.max(0, ...lines.flatMap((line) => (line.members ? [Math.max(...line.members)] : [])))}`);
  if (isLog) words.push("log");
  return words.join(" · ");
}

/**
 * @param {Line} line
 * @param {number} place
 * @param {Write} write
 */
function valueText(line, place, write) {
  const value = write === short ? short(line.y[place], 5) : write(line.y[place]);
  if (!line.members || !line.high) return value;
  return groupsAs.value === "std" ? `${value} ± ${short(line.high[place] - line.y[place], 2)}` : value;
}

/**
 * The lit curve and those nearest to it.
 * @param {Line[]} lines
 * @param {{id: string | null, x: number, at: {left: number, top: number, width: number, value: number}, axis: XKind, write: Write}} pointer
 * @returns {Tip}
 */
function tipOf(lines, { id, x, at, axis, write }) {
  const rows = lines
    .map((line) => ({ line, value: valueAt(line, x) }))
    .filter(({ line, value }) => !Number.isNaN(value) && (!line.isHidden || line.id === id))
    .sort((a, b) => Number(b.line.id === id) - Number(a.line.id === id) || Math.abs(a.value - at.value) - Math.abs(b.value - at.value))
    .slice(0, MOST_IN_TIP)
    .sort((a, b) => b.value - a.value)
    .map(({ line }) => ({ id: line.id, name: line.name, ink: line.ink, value: valueText(line, nearestIndex(line.x, x), write), isLit: line.id === id }));
  return { left: at.left, top: Math.max(at.top - 20, 0), isRight: at.left > at.width / 2, title: placeName(x, axis), rows };
}

/**
 * @param {Plot | null} plot
 * @param {string} metric
 */
function savePicture(plot, metric) {
  plot?.picture(metric)?.toBlob((blob) => blob && save(blob, `${metric}.png`));
}

/**
 * @param {ReadonlyMap<string, Curve>} curves
 * @param {string} metric
 * @param {XKind} axis
 */
function saveNumbers(curves, metric, axis) {
  const rows = shown.peek().flatMap((item) =>
    item.runIds.flatMap((run) => {
      const curve = curves.get(run);
      return curve ? [{ name: item.label, run, curve }] : [];
    }),
  );
  save(new Blob([csvOfCurves(rows, axis)], { type: "text/csv" }), `${metric}.csv`);
}
