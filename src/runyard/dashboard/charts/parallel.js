import { useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { html } from "../html.js";
import { hover, hovered } from "../state.js";
import { family, token } from "./plot.js";
import { dressed } from "./theme.js";

/** @import {Axis} from "./axes.js" */
/** @typedef {{id: string, name: string, places: number[], shade: number, isIn: boolean}} Thread one run: where it crosses each axis, how good it is (0 to 1, NaN), whether all brushes hold it */

const TOP = 34;
const BOTTOM = 16;
const SIDE = 58;
const GRIP = 16; // pixels beside an axis that belong to it
const SHADES = 24;
const LINE = 12; // pixels that a line of text takes

/**
 * Parallel coordinates: every run a line over all axes. Dragging along an axis keeps the runs in that part.
 * @param {object} props
 * @param {Axis[]} props.axes
 * @param {Thread[]} props.threads
 * @param {Record<string, [number, number]>} props.brushes by key of the axis
 * @param {(key: string, brush: [number, number] | null) => void} props.onBrush
 */
export function Parallel({ axes, threads, brushes, onBrush }) {
  const canvas = /** @type {{current: HTMLCanvasElement | null}} */ (useRef(null));
  const light = /** @type {{current: HTMLCanvasElement | null}} */ (useRef(null));
  const now = /** @type {{current: {axes: Axis[], threads: Thread[], brushes: Record<string, [number, number]>, drag: Drag | null}}} */ (useRef({ axes, threads, brushes, drag: null }));
  now.current = { ...now.current, axes, threads, brushes };
  const draw = () => {
    if (canvas.current) drawThreads(canvas.current, now.current);
  };

  useLayoutEffect(draw, [axes, threads, brushes]);
  useSignalEffect(() => {
    dressed.value;
    draw();
  });
  useSignalEffect(() => {
    const id = hovered.value?.run ?? "";
    if (light.current) drawLit(light.current, now.current, id);
  });
  useEffect(() => {
    const observer = new ResizeObserver(draw);
    observer.observe(/** @type {Element} */ (canvas.current));
    return () => observer.disconnect();
  }, []);

  const onDown = (/** @type {PointerEvent} */ event) => {
    const box = boxOf(event);
    const place = now.current.axes.findIndex((_, i) => Math.abs(xOf(i, now.current.axes.length, box.width) - box.x) <= GRIP);
    if (place < 0) return;
    const at = shareOf(box.y, box.height);
    now.current.drag = { key: now.current.axes[place].key, from: at, to: at };
    /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
  };
  const onMove = (/** @type {PointerEvent} */ event) => {
    const box = boxOf(event);
    if (now.current.drag) {
      now.current.drag.to = shareOf(box.y, box.height);
      return draw();
    }
    hover(nearest(now.current, box));
  };
  const onUp = () => {
    const { drag } = now.current;
    now.current.drag = null;
    if (!drag) return;
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    onBrush(drag.key, to - from < 0.015 ? null : [from, to]);
    draw();
  };
  return html`<div class="parallel" onPointerDown=${onDown} onPointerMove=${onMove} onPointerUp=${onUp} onPointerLeave=${() => hover(null)}>
    <canvas ref=${canvas} role="img" aria-label=${`Parallel coordinates of ${threads.length} runs over ${axes.map((axis) => axis.title).join(", ")}`}></canvas>
    <canvas ref=${light} aria-hidden="true"></canvas>
  </div>`;
}

/** @typedef {{key: string, from: number, to: number}} Drag */

/** @param {PointerEvent} event */
function boxOf(event) {
  const rect = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
  return { x: event.clientX - rect.left, y: event.clientY - rect.top, width: rect.width, height: rect.height };
}

/** @param {number} place @param {number} n @param {number} width */
const xOf = (place, n, width) => (n < 2 ? width / 2 : SIDE + (place * (width - 2 * SIDE)) / (n - 1));
/** @param {number} share @param {number} height */
const yOf = (share, height) => height - BOTTOM - share * (height - TOP - BOTTOM);
/** @param {number} y @param {number} height */
const shareOf = (y, height) => Math.min(Math.max((height - BOTTOM - y) / (height - TOP - BOTTOM), 0), 1);

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {{pen: CanvasRenderingContext2D, width: number, height: number}}
 */
function sized(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(ratio, ratio);
  return { pen, width, height };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{axes: Axis[], threads: Thread[], brushes: Record<string, [number, number]>, drag: Drag | null}} drawn
 */
function drawThreads(canvas, { axes, threads, brushes, drag }) {
  const { pen, width, height } = sized(canvas);
  if (!width) return;
  const shades = shadesOf();
  const quiet = token("--line-2");
  const dense = Math.min(1, 0.25 + 60 / Math.max(threads.length, 1));
  pen.lineJoin = "bevel";
  for (const thread of threads) {
    if (thread.isIn) continue;
    pen.strokeStyle = quiet;
    pen.globalAlpha = dense * 0.35;
    trace(pen, thread, axes.length, width, height);
  }
  pen.globalAlpha = dense;
  pen.lineWidth = 1.4;
  // The best lie on top.
  for (const thread of threads.filter((each) => each.isIn).sort((a, b) => (a.shade || 0) - (b.shade || 0))) {
    pen.strokeStyle = Number.isNaN(thread.shade) ? quiet : shades[Math.round(thread.shade * (SHADES - 1))];
    trace(pen, thread, axes.length, width, height);
  }
  pen.globalAlpha = 1;
  axes.forEach((axis, i) => drawAxis(pen, axis, { x: xOf(i, axes.length, width), gap: axes.length < 2 ? width : (width - 2 * SIDE) / (axes.length - 1), height, isFirst: i === 0, isLast: i === axes.length - 1 && i > 0, brush: drag?.key === axis.key ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)] : brushes[axis.key] }));
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Thread} thread
 * @param {number} n
 * @param {number} width
 * @param {number} height
 */
function trace(pen, thread, n, width, height) {
  pen.beginPath();
  let isDown = false;
  thread.places.forEach((share, i) => {
    if (Number.isNaN(share)) {
      isDown = false;
      return;
    }
    const [x, y] = [xOf(i, n, width), yOf(share, height)];
    if (isDown) pen.lineTo(x, y);
    else pen.moveTo(x, y);
    isDown = true;
  });
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Axis} axis
 * @param {{x: number, gap: number, height: number, isFirst: boolean, isLast: boolean, brush: [number, number] | undefined}} at
 */
function drawAxis(pen, axis, { x, gap, height, isFirst, isLast, brush }) {
  pen.strokeStyle = token("--line-2");
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x, TOP);
  pen.lineTo(x, height - BOTTOM);
  pen.stroke();
  if (brush) {
    pen.fillStyle = token("--accent");
    pen.globalAlpha = 0.25;
    pen.fillRect(x - 6, yOf(brush[1], height), 12, yOf(brush[0], height) - yOf(brush[1], height));
    pen.globalAlpha = 1;
  }
  pen.textAlign = "center";
  pen.fillStyle = token("--ink");
  pen.font = `600 12px ${family()}`;
  const room = (isFirst || isLast ? Math.min(gap, 2 * SIDE) : gap) - 8;
  const last = axis.title.slice(Math.max(axis.title.lastIndexOf("."), axis.title.lastIndexOf("/")) + 1);
  pen.fillText(pen.measureText(axis.title).width <= room ? axis.title : fitted(pen, last, room), x, 14);
  pen.font = `11px ${family()}`;
  pen.textAlign = isLast ? "left" : "right";
  pen.lineWidth = 3;
  pen.strokeStyle = token("--panel");
  let free = Infinity; // above it something is written
  for (const tick of [...axis.ticks].sort((a, b) => a.at - b.at)) {
    const y = yOf(tick.at, height) + 4;
    if (y > free - LINE) continue;
    free = y;
    const text = fitted(pen, tick.text, (isFirst || isLast ? SIDE : gap) - 14);
    pen.strokeText(text, x + (isLast ? 8 : -8), y);
    pen.fillStyle = token("--ink-2");
    pen.fillText(text, x + (isLast ? 8 : -8), y);
  }
}

/** As much of a text as there is room for. @param {CanvasRenderingContext2D} pen @param {string} text @param {number} room pixels */
function fitted(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let kept = text.length - 1;
  while (kept > 1 && pen.measureText(`${text.slice(0, kept)}…`).width > room) kept -= 1;
  return `${text.slice(0, kept)}…`;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{axes: Axis[], threads: Thread[]}} drawn
 * @param {string} id
 */
function drawLit(canvas, { axes, threads }, id) {
  const { pen, width, height } = sized(canvas);
  const thread = threads.find((each) => each.id === id);
  if (!thread || !width) return;
  pen.strokeStyle = token("--ink");
  pen.lineWidth = 2.4;
  trace(pen, thread, axes.length, width, height);
  pen.font = `600 12px ${family()}`;
  pen.fillStyle = token("--ink");
  pen.textAlign = "center";
  pen.fillText(thread.name.slice(0, 80), width / 2, height - 2);
}

/**
 * The run whose line passes the pointer most closely.
 * @param {{axes: Axis[], threads: Thread[]}} drawn
 * @param {{x: number, y: number, width: number, height: number}} box
 */
function nearest({ axes, threads }, { x, y, width, height }) {
  const n = axes.length;
  if (n < 2) return null;
  const gap = (width - 2 * SIDE) / (n - 1);
  const left = Math.min(Math.max(Math.floor((x - SIDE) / gap), 0), n - 2);
  const share = (x - SIDE) / gap - left;
  let found = null;
  let best = 7;
  for (const thread of threads) {
    if (!thread.isIn) continue;
    const there = yOf(thread.places[left] * (1 - share) + thread.places[left + 1] * share, height);
    if (Math.abs(there - y) < best) [best, found] = [Math.abs(there - y), thread.id];
  }
  return found;
}

/** From grey (worst) to the first colour of the palette. */
function shadesOf() {
  const [from, to] = [token("--line-2"), token("--c1")].map(parts);
  return Array.from({ length: SHADES }, (_, i) => `rgb(${from.map((part, k) => Math.round(part + ((to[k] - part) * i) / (SHADES - 1))).join(" ")})`);
}

/** @param {string} hex #rrggbb */
const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
