/**
 * One chart on a page: uPlot makes axes, grid and the dragged selection; the curves are drawn here, on two canvases above.
 *
 * uPlot wants all series on one x axis that they share; runs have each their own, and joining a hundred of them makes a
 * table of mostly nothing. Here each curve keeps its arrays. The second canvas holds only what the pointer lights, so that
 * moving it never redraws a curve that it is not on.
 */
import uPlot from "uplot";

import { nearestIndex } from "./curves.js";
import { count, duration, moment, short } from "./numbers.js";

/**
 * @typedef {object} Line
 * @property {string} id of the run or the group
 * @property {string} name
 * @property {string} ink as a canvas takes it
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Float64Array} [raw] drawn faintly behind
 * @property {Float64Array} [low] of the band
 * @property {Float64Array} [high]
 * @property {boolean} [isDashed]
 * @property {boolean} [isHidden] seen only while it is lit
 * @property {Uint16Array} [members] how many runs stand behind each point
 */

/**
 * @typedef {object} Look
 * @property {import("./store.js").XKind} x
 * @property {boolean} isLogX
 * @property {boolean} isLogY
 * @property {(value: number) => string} [write] a value on the y axis
 * @property {number} [scale] of type and lines, for a screen that is seen from afar; 1 if left out
 * @property {number} [gutter] width of the y axis, where charts stand below each other
 */

/** @typedef {{id: string | null, x: number, distance: number}} Nearest */
/** Where the pointer is in the chart, in CSS pixels, and the y value there. @typedef {{left: number, top: number, width: number, value: number}} At */

const REACH_PX = 36; // a curve farther from the pointer than this is not meant
const PAD = 0.04; // of the range, above and below the curves

export class Plot {
  /**
   * @param {HTMLElement} host as large as the chart shall be; it follows when that changes
   * @param {object} options
   * @param {Look} options.look
   * @param {(id: string | null, x: number | null, at?: At) => void} options.onHover null, null when the pointer leaves
   * @param {(range: [number, number] | null) => void} options.onZoom null on a double click
   * @param {(id: string) => void} [options.onClick]
   */
  constructor(host, { look, onHover, onZoom, onClick }) {
    this.host = host;
    this.look = look;
    this.onHover = onHover;
    this.onZoom = onZoom;
    this.onClick = onClick;
    /** @type {Line[]} */
    this.lines = [];
    /** @type {[number, number] | null} */
    this.zoom = null;
    /** @type {[number, number]} */
    this.rangeX = [0, 1];
    /** @type {[number, number]} */
    this.rangeY = [0, 1];
    /** @type {{id: string | null, x: number} | null} */
    this.lit = null;
    /** @type {uPlot | null} */
    this.chart = null;
    this.curves = document.createElement("canvas");
    this.light = document.createElement("canvas");
    this.curves.className = this.light.className = "plot-canvas";
    this.frame = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(host);
  }

  /**
   * @param {Line[]} lines
   * @param {Look} look
   * @param {[number, number] | null} zoom the range of x to show, null for all
   */
  show(lines, look, zoom) {
    const isOther = look.x !== this.look.x || look.isLogX !== this.look.isLogX || look.isLogY !== this.look.isLogY;
    this.lines = lines;
    this.look = look;
    this.zoom = zoom;
    this.rangeX = zoom ?? rangeOfX(lines, look.isLogX);
    this.rangeY = rangeOfY(lines, this.rangeX, look.isLogY);
    if (isOther) this.build();
    else this.refresh();
  }

  /** Lights one run, and one x, in this chart; draws at the next frame. @param {{id: string | null, x: number} | null} lit */
  highlight(lit) {
    this.lit = lit;
    if (!this.frame) this.frame = requestAnimationFrame(() => this.drawLight());
  }

  /** Takes the colours of the theme anew. */
  repaint() {
    this.build();
  }

  destroy() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.chart?.destroy();
    this.chart = null;
    this.lines = [];
  }

  /** The whole chart with a title and its legend, to be saved. @param {string} title */
  picture(title) {
    const chart = this.chart;
    if (!chart) return null;
    const ratio = devicePixelRatio;
    const named = this.lines.filter((line) => !line.isHidden).slice(0, 16);
    const out = document.createElement("canvas");
    out.width = chart.width * ratio;
    out.height = (chart.height + 36 + named.length * 18) * ratio;
    const pen = /** @type {CanvasRenderingContext2D} */ (out.getContext("2d"));
    pen.fillStyle = token("--panel");
    pen.fillRect(0, 0, out.width, out.height);
    pen.drawImage(chart.ctx.canvas, 0, 30 * ratio);
    pen.drawImage(this.curves, chart.bbox.left, chart.bbox.top + 30 * ratio);
    pen.scale(ratio, ratio);
    pen.font = `600 13px ${family()}`;
    pen.fillStyle = token("--ink");
    pen.fillText(title, 12, 20);
    pen.font = `12px ${family()}`;
    named.forEach((line, i) => {
      const y = chart.height + 44 + i * 18;
      pen.fillStyle = line.ink;
      pen.fillRect(14, y - 6, 14, 3);
      pen.fillStyle = token("--ink-2");
      pen.fillText(line.name, 36, y);
    });
    return out;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return;
    if (!this.chart) this.build();
    else if (width !== this.chart.width || height !== this.chart.height) {
      this.chart.setSize({ width, height });
      this.refresh();
    }
  }

  build() {
    const { clientWidth: width, clientHeight: height } = this.host;
    this.chart?.destroy();
    this.chart = null;
    if (!width || !height) return;
    this.chart = new uPlot(this.options(width, height), this.corners(), this.host);
    const over = this.chart.over;
    over.append(this.curves, this.light);
    over.addEventListener("dblclick", () => this.onZoom(null));
    over.addEventListener("pointermove", (event) => this.point(event));
    over.addEventListener("pointerleave", () => this.onHover(null, null));
    over.addEventListener("click", (event) => {
      const found = this.nearest(event);
      if (found.id && found.distance < 12) this.onClick?.(found.id);
    });
    this.drawCurves();
    this.drawLight();
  }

  refresh() {
    if (!this.chart) return this.resize();
    this.chart.setData(this.corners(), true);
    this.drawCurves();
    this.drawLight();
  }

  /** @returns {uPlot.AlignedData} */
  corners() {
    return [this.rangeX, this.rangeY];
  }

  /**
   * @param {number} width
   * @param {number} height
   * @returns {uPlot.Options}
   */
  options(width, height) {
    const scale = this.look.scale ?? 1;
    const font = `${11 * scale}px ${family()}`;
    const shared = {
      font,
      stroke: token("--ink-3"),
      grid: { stroke: token("--line"), width: 1 },
      ticks: { show: false },
    };
    const { look } = this;
    /** @type {uPlot.Axis} */
    const xAxis = { ...shared, size: 22 * scale, gap: 4 * scale, space: 56 * scale, grid: { show: false } };
    if (look.x !== "time") {
      const write = look.x === "relative" ? duration : look.x === "step" ? count : short;
      xAxis.values = (_, splits) => splits.map((value) => (value === null ? "" : write(value)));
      if (!look.isLogX && !look.x.startsWith("metric:")) xAxis.incrs = look.x === "step" ? WHOLE : TIMES;
    }
    return {
      width,
      height,
      legend: { show: false },
      padding: [8, 20, 0, 0],
      scales: {
        x: { time: look.x === "time", distr: look.isLogX ? 3 : 1, range: () => this.rangeX },
        y: { distr: look.isLogY ? 3 : 1, range: () => this.rangeY },
      },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [
        xAxis,
        {
          ...shared,
          gap: 5 * scale,
          space: 34 * scale,
          size: (_, values) => this.look.gutter ?? Math.max(34, ...(values ?? []).map((text) => 12 + String(text ?? "").length * 6.2)) * scale,
          values: (_, splits) => splits.map((value) => (value === null || (look.isLogY && !isRound(value)) ? "" : (this.look.write ?? short)(value))),
        },
      ],
      cursor: { points: { show: false }, x: false, y: false, drag: { x: true, y: false, setScale: false, dist: 6 } },
      hooks: { setSelect: [(chart) => this.select(chart)] },
    };
  }

  /** @param {uPlot} chart */
  select(chart) {
    const { left, width } = chart.select;
    if (width < 6) return;
    const range = /** @type {[number, number]} */ ([chart.posToVal(left, "x"), chart.posToVal(left + width, "x")]);
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onZoom(range);
  }

  /** @param {PointerEvent} event */
  point(event) {
    if (event.buttons) return; // a range is being dragged
    const found = this.nearest(event);
    const chart = /** @type {uPlot} */ (this.chart);
    const inside = chart.over.getBoundingClientRect();
    const host = this.host.getBoundingClientRect();
    const at = { left: event.clientX - host.left, top: event.clientY - host.top, width: host.width, value: chart.posToVal(event.clientY - inside.top, "y") };
    this.onHover(found.distance <= REACH_PX ? found.id : null, found.x, at);
  }

  /**
   * The curve nearest to the pointer, by its height at the pointer's x.
   * @param {MouseEvent} event
   * @returns {Nearest}
   */
  nearest(event) {
    const chart = /** @type {uPlot} */ (this.chart);
    const rect = chart.over.getBoundingClientRect();
    const x = chart.posToVal(event.clientX - rect.left, "x");
    const y = event.clientY - rect.top;
    const { toY } = this.mapping(1);
    let id = null;
    let distance = Infinity;
    for (const line of this.lines) {
      if (!line.id) continue; // the band of all is nobody
      const value = valueAt(line, x);
      const away = Math.abs(toY(value) - y);
      if (away < distance) [id, distance] = [line.id, away];
    }
    const on = this.lines.find((line) => line.id === id);
    const place = on ? nearestIndex(on.x, x) : -1;
    return { id, x: on && distance <= REACH_PX && place >= 0 ? on.x[place] : x, distance };
  }

  /** How values become pixels of the plotting area. @param {number} ratio device pixels per CSS pixel */
  mapping(ratio) {
    const chart = /** @type {uPlot} */ (this.chart);
    const width = (chart.bbox.width / devicePixelRatio) * ratio;
    const height = (chart.bbox.height / devicePixelRatio) * ratio;
    const fx = this.look.isLogX ? Math.log10 : same;
    const fy = this.look.isLogY ? Math.log10 : same;
    const [x0, y0] = [fx(this.rangeX[0]), fy(this.rangeY[0])];
    const kx = width / (fx(this.rangeX[1]) - x0);
    const ky = height / (fy(this.rangeY[1]) - y0);
    return {
      width,
      height,
      toX: (/** @type {number} */ value) => (fx(value) - x0) * kx,
      toY: (/** @type {number} */ value) => height - (fy(value) - y0) * ky,
    };
  }

  drawCurves() {
    if (!this.chart) return;
    const pen = this.cleared(this.curves);
    const map = this.mapping(devicePixelRatio);
    const drawn = this.lines.filter((line) => !line.isHidden);
    const isCrowded = drawn.length > 20;
    for (const line of drawn) {
      // The extremes of buckets would cover each other in a crowd, and cost more than the curves.
      if (line.low && line.high && (line.members || !line.id || !isCrowded)) {
        pen.globalAlpha = isCrowded ? 0.07 : 0.14;
        pen.fillStyle = line.ink;
        pen.fill(areaOf(line.x, line.low, line.high, map));
      }
    }
    pen.lineJoin = "bevel";
    for (const line of drawn) {
      if (!line.raw) continue;
      pen.globalAlpha = isCrowded ? 0.12 : 0.28;
      pen.lineWidth = devicePixelRatio;
      pen.strokeStyle = line.ink;
      pen.stroke(pathOf(line.x, line.raw, map));
    }
    pen.globalAlpha = isCrowded ? 0.85 : 1;
    for (const line of drawn) this.stroke(pen, line, map, isCrowded ? 1 : 1.6);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Line} line
   * @param {Mapping} map
   * @param {number} width CSS pixels
   */
  stroke(pen, line, map, width) {
    pen.strokeStyle = pen.fillStyle = line.ink;
    pen.lineWidth = width * devicePixelRatio * (this.look.scale ?? 1);
    pen.setLineDash(line.isDashed ? [5 * devicePixelRatio, 3 * devicePixelRatio] : []);
    pen.stroke(pathOf(line.x, line.y, map));
    pen.setLineDash([]);
    if (line.x.length === 1) dot(pen, map.toX(line.x[0]), map.toY(line.y[0]), 2.5 * devicePixelRatio);
  }

  drawLight() {
    this.frame = 0;
    if (!this.chart) return;
    const pen = this.cleared(this.light);
    const { lit } = this;
    const on = lit?.id ? this.lines.filter((line) => line.id === lit.id) : [];
    this.curves.classList.toggle("is-dim", on.length > 0 && this.lines.length > 1);
    if (!lit) return;
    const ratio = devicePixelRatio;
    const map = this.mapping(ratio);
    const x = Math.round(map.toX(lit.x)) + 0.5;
    if (x >= 0 && x <= map.width) {
      pen.strokeStyle = token("--ink-3");
      pen.lineWidth = 1;
      pen.setLineDash([2 * ratio, 3 * ratio]);
      pen.beginPath();
      pen.moveTo(x, 0);
      pen.lineTo(x, map.height);
      pen.stroke();
      pen.setLineDash([]);
    }
    for (const line of on) {
      if (line.low && line.high) {
        pen.globalAlpha = 0.18;
        pen.fillStyle = line.ink;
        pen.fill(areaOf(line.x, line.low, line.high, map));
        pen.globalAlpha = 1;
      }
      this.stroke(pen, line, map, 2.2);
    }
    for (const line of on.length ? on : this.lines.length <= 12 ? this.lines : this.lines.filter((line) => !line.id)) {
      const value = valueAt(line, lit.x);
      if (!Number.isFinite(value) || lit.x < line.x[0] || lit.x > line.x[line.x.length - 1]) continue;
      pen.fillStyle = line.ink;
      pen.strokeStyle = token("--panel");
      pen.lineWidth = 1.5 * ratio;
      dot(pen, map.toX(lit.x), map.toY(value), 3.2 * ratio);
      pen.stroke();
    }
  }

  /** @param {HTMLCanvasElement} canvas */
  cleared(canvas) {
    const { width, height } = /** @type {uPlot} */ (this.chart).bbox;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    } else {
      pen.clearRect(0, 0, width, height);
    }
    pen.globalAlpha = 1;
    return pen;
  }
}

const WHOLE = [1, 2, 5].flatMap((digit) => [...Array(13).keys()].map((power) => digit * 10 ** power)).sort((a, b) => a - b);
// What a clock is divided into, in seconds.
const TIMES = [0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000];

/** @typedef {{width: number, height: number, toX: (x: number) => number, toY: (y: number) => number}} Mapping */

/** Whether it is 1, 2 or 5 times a power of ten: a logarithmic axis also begins somewhere. @param {number} value */
function isRound(value) {
  const digit = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
  return [1, 2, 5].some((each) => Math.abs(digit - each) < 1e-6);
}

/** @param {number} value */
const same = (value) => value;

/** The value of a CSS variable now. @param {string} name */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const family = () => getComputedStyle(document.body).fontFamily;

/** What a position on the x axis is called. @param {number} x @param {Look["x"]} kind */
export function placeName(x, kind) {
  if (kind === "time") return moment(x);
  if (kind.startsWith("metric:")) return `${kind.slice(7)} ${short(x)}`;
  return kind === "relative" ? duration(x) : `step ${count(Math.round(x))}`;
}

/**
 * The y at x: that of the nearest point, NaN outside of the curve.
 * @param {Pick<Line, "x" | "y">} line
 * @param {number} x
 */
export function valueAt(line, x) {
  const place = nearestIndex(line.x, x);
  return place < 0 ? NaN : line.y[place];
}

/**
 * @param {Line[]} lines
 * @param {boolean} isLog
 * @returns {[number, number]}
 */
function rangeOfX(lines, isLog) {
  let low = Infinity;
  let high = -Infinity;
  for (const { x } of lines) {
    for (let i = 0; i < x.length; i += 1) {
      if (isLog && x[i] <= 0) continue;
      if (x[i] < low) low = x[i];
      break;
    }
    if (x.length && x[x.length - 1] > high) high = x[x.length - 1];
  }
  if (low > high) return isLog ? [1, 10] : [0, 1];
  if (low === high) return isLog ? [low / 2, low * 2] : [low - 0.5, low + 0.5];
  return [low, high];
}

/**
 * From the lowest to the highest that is drawn between these x, with a little air.
 * @param {Line[]} lines
 * @param {[number, number]} rangeX
 * @param {boolean} isLog
 * @returns {[number, number]}
 */
function rangeOfY(lines, rangeX, isLog) {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) {
    const drawn = [line.y, line.low, line.high];
    for (let i = 0; i < line.x.length; i += 1) {
      if (line.x[i] < rangeX[0] || line.x[i] > rangeX[1]) continue;
      for (const values of drawn) {
        const value = values?.[i] ?? NaN;
        if (!Number.isFinite(value) || (isLog && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
  }
  if (low > high) return isLog ? [0.1, 1] : [0, 1];
  if (isLog) return low === high ? [low / 2, low * 2] : [low / (high / low) ** PAD, high * (high / low) ** PAD];
  if (low === high) return [low - (Math.abs(low) * 0.1 || 0.5), high + (Math.abs(high) * 0.1 || 0.5)];
  const pad = (high - low) * PAD;
  return [low >= 0 && low - pad < 0 ? 0 : low - pad, high + pad];
}

/**
 * A path through the points; more than two in a column of pixels become its lowest and its highest.
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {Mapping} map
 */
function pathOf(x, y, map) {
  const path = new Path2D();
  let isDown = false;
  let column = NaN;
  let low = 0;
  let high = 0;
  let last = 0;
  const flush = () => {
    if (low !== high) {
      path.lineTo(column, low);
      path.lineTo(column, high);
      path.lineTo(column, last);
    }
  };
  for (let i = 0; i < x.length; i += 1) {
    const px = map.toX(x[i]);
    const py = map.toY(y[i]);
    if (!Number.isFinite(px) || !Number.isFinite(py)) {
      if (isDown) flush();
      isDown = false;
      continue;
    }
    if (px < -20) {
      // left of the chart: only the last such point matters
      if (i + 1 < x.length && map.toX(x[i + 1]) < 0) continue;
    }
    if (!isDown) {
      path.moveTo(px, py);
      [isDown, column, low, high, last] = [true, px, py, py, py];
    } else if (px - column < 0.5) {
      if (py < low) low = py;
      if (py > high) high = py;
      last = py;
    } else {
      flush();
      path.lineTo(px, py);
      column = px;
      low = high = last = py;
    }
    if (px > map.width + 20) break;
  }
  if (isDown) flush();
  return path;
}

/**
 * @param {Float64Array} x
 * @param {Float64Array} low
 * @param {Float64Array} high
 * @param {Mapping} map
 */
function areaOf(x, low, high, map) {
  const path = new Path2D();
  const clip = (/** @type {number} */ value) => Math.min(Math.max(value, -50), map.height + 50);
  for (let i = 0; i < x.length; ) {
    while (i < x.length && !(Number.isFinite(low[i]) && Number.isFinite(high[i]))) i += 1;
    const begin = i;
    while (i < x.length && Number.isFinite(low[i]) && Number.isFinite(high[i])) i += 1;
    if (i === begin) break;
    path.moveTo(map.toX(x[begin]), clip(map.toY(high[begin])));
    for (let k = begin + 1; k < i; k += 1) path.lineTo(map.toX(x[k]), clip(map.toY(high[k])));
    for (let k = i - 1; k >= begin; k -= 1) {
      const py = map.toY(low[k]); // a logarithm of what is not above 0
      path.lineTo(map.toX(x[k]), Number.isFinite(py) ? clip(py) : map.height + 50);
    }
    path.closePath();
  }
  return path;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
function dot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
