/**
 * The curves that cards need: fetched together, kept, and made longer as runs go on.
 *
 * Cards say what they want; all that was wanted in one frame is one request. When a run goes on, only the points after
 * the last known one are asked for. Nothing is fetched for a card that is not on the screen.
 */
import { signal } from "@preact/signals";

import * as api from "../api.js";
import { curveOf, emptyCurve, withTail } from "./curves.js";

/** @import {Series, SeriesRequest} from "../types.js" */
/** @import {Curve} from "./curves.js" */
/** @typedef {import("@preact/signals").Signal<ReadonlyMap<string, Curve>>} CurvesOfKey */
/** @typedef {"step" | "relative" | "time" | `metric:${string}`} XKind */

export const BUCKETS = 600;
const TAIL_EVERY_MS = 1000;
const MOST_IN_REQUEST = 4000; // series; the server refuses more than 5,000
const MOST_RUNS_IN_REQUEST = 500;
const MOST_CURVES = 20_000; // in memory; 600 buckets of five numbers are 24 kB

export class CurveStore {
  /** @param {(asked: SeriesRequest, signal?: AbortSignal) => Promise<Series[]>} [ask] */
  constructor(ask = api.series) {
    this.ask = ask;
    /** @type {Map<string, CurvesOfKey>} */
    this.byKey = new Map();
    /** @type {Set<string>} `key\nrun` that were asked for and are not here yet */
    this.awaited = new Set();
    /** @type {ReadonlySet<string>} */
    this.keys = new Set();
    /** @type {readonly string[]} */
    this.runs = [];
    /** @type {XKind} */
    this.x = "step";
    /** @type {Set<string>} runs that went on */
    this.behind = new Set();
    this.timer = 0;
    this.frame = 0;
    this.tailing = false;
    this.stopped = new AbortController();
    /** What went wrong with the latest request, "" if nothing. */
    this.problem = signal("");
  }

  /** The curves of one metric, by run. @param {string} key @returns {CurvesOfKey} */
  curves(key) {
    let found = this.byKey.get(key);
    if (!found) {
      found = signal(/** @type {ReadonlyMap<string, Curve>} */ (new Map()));
      this.byKey.set(key, found);
    }
    return found;
  }

  /**
   * @param {object} wanted
   * @param {ReadonlySet<string>} wanted.keys of the cards on the screen
   * @param {readonly string[]} wanted.runs
   * @param {XKind} wanted.x
   */
  want({ keys, runs, x }) {
    this.keys = keys;
    this.runs = runs;
    if (x !== this.x) this.forget(x);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.fetchMissing());
  }

  /** Some runs went on, or all might have. @param {readonly string[] | null} runs */
  goOn(runs) {
    for (const run of runs ?? this.runs) this.behind.add(run);
    if (!this.timer && this.behind.size) this.timer = window.setTimeout(() => this.fetchTails(), 60);
  }

  /**
   * A part of one metric's curves, as fine as the chart can show it; kept by nobody.
   * @param {string} key
   * @param {readonly string[]} runs
   * @param {[number, number]} range
   * @param {number} width of the chart in pixels of the screen
   * @param {AbortSignal} signal
   * @returns {Promise<Map<string, Curve>>}
   */
  async part(key, runs, [start, stop], width, signal) {
    // A little more than is seen, so that lines run on to the borders.
    const margin = (stop - start) * 0.02;
    const isWhole = this.x === "step";
    const asked = {
      runs,
      keys: [key],
      buckets: Math.min(Math.max(Math.ceil(width / 100) * 100, 300), BUCKETS * 2),
      x: this.x,
      start: isWhole ? Math.floor(start - margin) : start - margin,
      stop: isWhole ? Math.ceil(stop + margin) : stop + margin,
    };
    const found = await this.ask(asked, signal);
    return new Map(found.map((series) => [series.run, curveOf(series)]));
  }

  stop() {
    this.stopped.abort();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.byKey.clear();
  }

  /** @param {XKind} x */
  forget(x) {
    this.x = x;
    this.stopped.abort();
    this.stopped = new AbortController();
    this.awaited.clear();
    for (const curves of this.byKey.values()) curves.value = new Map();
  }

  fetchMissing() {
    this.frame = 0;
    this.makeRoom();
    /** @type {Map<string, {runs: string[], keys: string[]}>} runs that lack the same, together */
    const requests = new Map();
    for (const key of this.keys) {
      const have = this.curves(key).peek();
      const runs = this.runs.filter((run) => !have.has(run) && !this.awaited.has(`${key}\n${run}`));
      if (!runs.length) continue;
      const name = runs.join();
      const request = requests.get(name) ?? { runs, keys: [] };
      request.keys.push(key);
      requests.set(name, request);
    }
    for (const { runs, keys } of requests.values()) {
      for (const some of pieces(runs, MOST_RUNS_IN_REQUEST)) {
        for (const few of pieces(keys, Math.floor(MOST_IN_REQUEST / some.length))) this.fetchWhole(some, few);
      }
    }
  }

  /**
   * @param {string[]} runs
   * @param {string[]} keys
   */
  async fetchWhole(runs, keys) {
    const pairs = keys.flatMap((key) => runs.map((run) => `${key}\n${run}`));
    for (const pair of pairs) this.awaited.add(pair);
    const { signal: stopped } = this.stopped;
    try {
      const found = await this.ask({ runs, keys, buckets: BUCKETS, x: this.x }, stopped);
      if (stopped.aborted) return;
      this.problem.value = "";
      const curves = found.map(curveOf);
      const got = new Set(curves.map((curve) => `${curve.key}\n${curve.run}`));
      for (const key of keys) for (const run of runs) if (!got.has(`${key}\n${run}`)) curves.push(emptyCurve(run, key));
      this.put(curves, (_, curve) => curve);
    } catch (error) {
      if (!stopped.aborted) this.problem.value = /** @type {Error} */ (error).message;
    } finally {
      if (!stopped.aborted) for (const pair of pairs) this.awaited.delete(pair);
    }
  }

  async fetchTails() {
    this.timer = 0;
    if (this.tailing) return; // the one under way starts the next
    const behind = this.runs.filter((run) => this.behind.has(run));
    this.behind.clear();
    if (!behind.length) return;
    this.tailing = true;
    const began = performance.now();
    const { signal: stopped } = this.stopped;
    this.forgetUnseen(behind);
    try {
      await Promise.all(this.tailRequests(behind).map((request) => this.fetchTail(request, stopped)));
      this.problem.value = "";
    } catch (error) {
      if (!stopped.aborted) this.problem.value = /** @type {Error} */ (error).message;
    }
    this.tailing = false;
    if (this.behind.size && !this.timer) {
      this.timer = window.setTimeout(() => this.fetchTails(), Math.max(TAIL_EVERY_MS - (performance.now() - began), 0));
    }
  }

  /**
   * Metrics that are about as far share a request; a curve that grew too long is fetched anew, in buckets.
   * @param {readonly string[]} runs
   */
  tailRequests(runs) {
    /** @type {Map<string, {runs: Set<string>, keys: Set<string>, start: number | null}>} */
    const requests = new Map();
    for (const key of this.keys) {
      const have = this.curves(key).peek();
      for (const run of runs) {
        const curve = have.get(run);
        if (!curve) continue;
        const end = !this.x.startsWith("metric:") && curve.x.length && curve.x.length <= BUCKETS * 1.6 ? curve.x[curve.x.length - 1] : null;
        const name = end === null ? "whole" : String(Math.round(Math.log2(Math.abs(end) + 1)));
        const request = requests.get(name) ?? { runs: new Set(), keys: new Set(), start: end };
        request.runs.add(run);
        request.keys.add(key);
        if (end !== null && request.start !== null) request.start = Math.min(request.start, end);
        requests.set(name, request);
      }
    }
    return [...requests.values()];
  }

  /**
   * @param {{runs: Set<string>, keys: Set<string>, start: number | null}} request
   * @param {AbortSignal} stopped
   */
  async fetchTail({ runs, keys, start }, stopped) {
    const asked = { runs: [...runs], keys: [...keys], buckets: BUCKETS, x: this.x, start };
    const found = await this.ask(asked, stopped);
    if (stopped.aborted) return;
    this.put(found.map(curveOf), (old, curve) => (old && start !== null ? withTail(old, curve) : curve));
  }

  /**
   * Takes curves in; each metric's signal changes once.
   * @param {Curve[]} curves
   * @param {(old: Curve | undefined, curve: Curve) => Curve} merge
   */
  put(curves, merge) {
    /** @type {Map<string, Map<string, Curve>>} */
    const next = new Map();
    for (const curve of curves) {
      const known = next.get(curve.key) ?? new Map(this.curves(curve.key).peek());
      known.set(curve.run, merge(known.get(curve.run), curve));
      next.set(curve.key, known);
    }
    for (const [key, known] of next) this.curves(key).value = known;
  }

  /** Curves of cards off the screen that are no longer true. @param {readonly string[]} runs */
  forgetUnseen(runs) {
    for (const [key, curves] of this.byKey) {
      if (this.keys.has(key) || !runs.some((run) => curves.peek().has(run))) continue;
      const kept = new Map(curves.peek());
      for (const run of runs) kept.delete(run);
      curves.value = kept;
    }
  }

  makeRoom() {
    let size = 0;
    for (const curves of this.byKey.values()) size += curves.peek().size;
    if (size <= MOST_CURVES) return;
    const shown = new Set(this.runs);
    for (const [key, curves] of this.byKey) {
      curves.value = this.keys.has(key) ? new Map([...curves.peek()].filter(([run]) => shown.has(run))) : new Map();
    }
  }
}

/**
 * @template T
 * @param {T[]} all
 * @param {number} size
 */
const pieces = (all, size) => Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
