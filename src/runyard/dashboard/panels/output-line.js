import { html } from "../html.js";
import { plainOf, spansOf } from "./ansi.js";

/** @import {Line} from "./ansi.js" */

const LONGEST = 4000; // characters of a line that are shown

/**
 * One line of output: in its colours, or, if something is searched in it, with what was found marked.
 * @param {{line: Line, number: number, words: string, isCurrent: boolean, top: number}} props
 */
export function OutputLine({ line, number, words, isCurrent, top }) {
  const long = line.raw.length > LONGEST;
  const raw = long ? line.raw.slice(0, LONGEST) : line.raw;
  return html`<div class=${`output-line ${isCurrent ? "is-current" : ""}`} style=${{ transform: `translateY(${top}px)` }}>
    <i>${number}</i><span>${(words && marked(plainOf(raw), words)) || coloured(line, raw)}${long && html`<em> … ${line.raw.length - LONGEST} more characters</em>`}</span>
  </div>`;
}

/** @param {Line} line @param {string} raw */
function coloured(line, raw) {
  return spansOf(raw, line.before).spans.map(({ text, classes, style }) => (classes || style ? html`<span class=${classes} style=${style}>${text}</span>` : text));
}

/** @param {string} text @param {string} words */
function marked(text, words) {
  const low = text.toLowerCase();
  const wanted = words.toLowerCase();
  if (low.length !== text.length || !low.includes(wanted)) return null; // a letter that changes its length has no marks
  const pieces = [];
  let end = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, end)) {
    pieces.push(text.slice(end, at), html`<mark>${text.slice(at, at + wanted.length)}</mark>`);
    end = at + wanted.length;
  }
  return [...pieces, text.slice(end)];
}
