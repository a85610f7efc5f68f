import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import * as api from "../api.js";
import { shown, shownRuns } from "../charts/shown.js";
import { bytes } from "../format.js";
import { html } from "../html.js";
import { changed } from "../state.js";
import { choose, chosen } from "./chosen.js";
import { OutputLine } from "./output-line.js";
import { OutputText } from "./output-text.js";
import { RunChoice } from "./run-choice.js";

const LINE_PX = 18; // .output-line has this height
const PIECE = 1 << 20; // bytes of one request
const END = 4 << 20; // bytes that are read of a long output before a person asks for the rest
const AGAIN_MS = 700;

/** What a run printed, while it prints. */
export default function OutputPanel() {
  const scroller = /** @type {{current: HTMLElement | null}} */ (useRef(null));
  const text = useRef(new OutputText());
  const version = useSignal(0); // of the text
  const attempt = useSignal(/** @type {number | null} */ (null)); // null: the latest
  const attempts = useSignal(0); // how many the run has had
  const about = useSignal({ attempt: 0, dropped: 0, isLoading: true, problem: "" });
  const isWhole = useSignal(false); // whether a long output is wanted from its beginning
  const isCut = useSignal(false);
  const follows = useSignal(true);
  const words = useSignal("");
  const place = useSignal(0); // which of the hits
  const view = useSignal({ top: 0, height: 600 });
  const hits = useComputed(() => {
    version.value;
    return text.current.find(words.value);
  });

  useSignalEffect(() => {
    const run = chosen.value;
    attempt.value = null;
    attempts.value = 0;
    isWhole.value = false;
    if (!run) return;
    const stop = new AbortController();
    api.run(run, stop.signal).then((found) => (attempts.value = found.attempt), () => {});
    return () => stop.abort();
  });
  useSignalEffect(() => {
    const run = chosen.value;
    const wanted = attempt.value;
    text.current = new OutputText();
    about.value = { attempt: 0, dropped: 0, isLoading: Boolean(run), problem: "" };
    version.value = version.peek() + 1;
    isCut.value = false;
    if (!run) return;
    const stop = new AbortController();
    const reading = { offset: isWhole.value ? 0 : -END, isBusy: false, isBehind: false, timer: 0 };
    const read = async () => {
      if (reading.isBusy) {
        reading.isBehind = true;
        return;
      }
      reading.isBusy = true;
      try {
        const isStart = reading.offset < 0;
        reading.offset = await readOn(run, wanted, reading.offset, stop.signal, (piece) => {
          if (isStart && !text.current.count) isCut.value = new Blob([piece.text]).size > END * 0.9;
          text.current.add(piece.text);
          about.value = { ...about.peek(), attempt: piece.attempt, dropped: piece.dropped_bytes, isLoading: false, problem: "" };
          version.value = version.peek() + 1;
        });
      } catch (error) {
        if (!stop.signal.aborted) about.value = { ...about.peek(), isLoading: false, problem: /** @type {Error} */ (error).message };
      }
      reading.isBusy = false;
      if (reading.isBehind && !stop.signal.aborted) {
        reading.isBehind = false;
        reading.timer = window.setTimeout(read, AGAIN_MS);
      }
    };
    read();
    let isFirst = true;
    // A nested effect, so that a change does not begin from the start.
    const listening = changed.subscribe(({ runs, everything }) => {
      if (!isFirst && (everything || runs.includes(run))) read();
      isFirst = false;
    });
    return () => {
      stop.abort();
      clearTimeout(reading.timer);
      listening();
    };
  });
  useSignalEffect(() => {
    version.value;
    if (follows.value) requestAnimationFrame(() => scroller.current && (scroller.current.scrollTop = scroller.current.scrollHeight));
  });
  useSignalEffect(() => {
    const line = hits.value[place.value];
    if (line === undefined || !scroller.current) return;
    follows.value = false;
    const { scrollTop, clientHeight } = scroller.current;
    const top = line * LINE_PX;
    if (top < scrollTop || top > scrollTop + clientHeight - 2 * LINE_PX) scroller.current.scrollTop = top - clientHeight / 2;
  });
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (scroller.current);
    const look = () => (view.value = { top: element.scrollTop, height: element.clientHeight });
    const onScroll = () => {
      look();
      const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - LINE_PX;
      if (!atEnd && follows.peek() && element.scrollTop < lastTop.current) follows.value = false;
      lastTop.current = element.scrollTop;
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  }, []);
  const lastTop = useRef(0);

  version.value;
  const { lines, count } = { lines: text.current, count: text.current.count };
  const first = Math.max(Math.floor(view.value.top / LINE_PX) - 10, 0);
  const last = Math.min(Math.ceil((view.value.top + view.value.height) / LINE_PX) + 10, count);
  const found = hits.value;
  const go = (/** @type {number} */ by) => found.length && (place.value = (place.value + by + found.length) % found.length);
  const search = (/** @type {Event} */ event) => {
    words.value = /** @type {HTMLInputElement} */ (event.target).value;
    place.value = 0;
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
  };
  const { dropped, isLoading, problem } = about.value;
  return html`<div class="panel-output">
    <div class="panel-tools">
      <${RunChoice} value=${chosen.value} onChoose=${choose} />
      ${shownRuns.value.length === 1 && html`<b class="output-name">${shown.value[0].label}</b>`}
      ${attempts.value > 1 &&
      html`<select class="input" aria-label="Attempt" value=${about.value.attempt} onChange=${(/** @type {Event} */ event) => (attempt.value = Number(/** @type {HTMLSelectElement} */ (event.target).value))}>
        ${Array.from({ length: attempts.value }, (_, i) => html`<option value=${i + 1}>attempt ${i + 1}</option>`)}
      </select>`}
      <input class="input" type="search" placeholder="Search the output" aria-label="Search the output" value=${words.value} onInput=${search} onKeyDown=${onKey} />
      ${words.value &&
      html`<span class="output-hits" role="status">${found.length ? `${place.value + 1} of ${found.length} lines` : "nothing found"}</span>
        <button class="quiet" disabled=${!found.length} onClick=${() => go(-1)} aria-label="Previous hit">↑</button>
        <button class="quiet" disabled=${!found.length} onClick=${() => go(1)} aria-label="Next hit">↓</button>`}
      <span class="spring"></span>
      <span class="faint">${count} line${count === 1 ? "" : "s"}</span>
      <button class=${`chip ${follows.value ? "on" : ""}`} aria-pressed=${follows.value} onClick=${() => (follows.value = !follows.value)}>follow the end</button>
    </div>
    ${problem && html`<p class="panel-problem" role="alert">${problem}</p>`}
    ${dropped > 0 && html`<p class="panel-hint">${bytes(dropped)} were printed faster than they could be kept, and are missing.</p>`}
    ${isCut.value && html`<p class="panel-hint">Only the end of a long output. <button class="button" onClick=${() => (isWhole.value = true)}>Read all of it</button></p>`}
    ${lines.dropped > 0 && html`<p class="panel-hint">The first ${lines.dropped} lines are not shown here. All of it: runyard logs ${chosen.value}</p>`}
    <div class="output-scroll" ref=${scroller} tabindex="0" aria-label="Output">
      ${!count && html`<p class="panel-empty">${!chosen.value ? "Select a run to read what it printed." : isLoading ? "" : "It has printed nothing so far."}</p>`}
      <div class="output-lines" style=${{ height: `${count * LINE_PX}px` }}>
        ${Array.from({ length: Math.max(last - first, 0) }, (_, i) => {
          const at = first + i;
          return html`<${OutputLine} key=${at} line=${lines.line(at)} number=${at + 1 + lines.dropped} words=${words.value} isCurrent=${found.length > 0 && found[place.value] === at} top=${at * LINE_PX} />`;
        })}
      </div>
    </div>
  </div>`;
}

/**
 * Reads to the end of what is there.
 * @param {string} run
 * @param {number | null} attempt
 * @param {number} from
 * @param {AbortSignal} signal
 * @param {(piece: import("../types.js").Output) => void} take
 * @returns {Promise<number>} where to read on
 */
async function readOn(run, attempt, from, signal, take) {
  let offset = from;
  for (;;) {
    const piece = await api.output(run, { attempt: attempt ?? undefined, offset, limit: offset < 0 ? END : PIECE }, signal);
    if (signal.aborted) return offset;
    take(piece);
    if (!piece.text || piece.next_offset <= offset) return Math.max(offset, piece.next_offset);
    offset = piece.next_offset;
  }
}
