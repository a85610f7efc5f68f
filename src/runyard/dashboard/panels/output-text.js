/** The output of one attempt, as lines that can be searched and shown a window at a time. */
import { lastDrawn, PLAIN, plainOf, styleAfter } from "./ansi.js";

/** @import {Line, Style} from "./ansi.js" */

const MOST_LINES = 200_000; // of a longer output the beginning is let go

export class OutputText {
  constructor() {
    /** @type {Line[]} */
    this.lines = [];
    this.open = ""; // the last line, while its end has not come
    /** @type {Style} */
    this.style = PLAIN;
    this.dropped = 0; // lines that were let go
  }

  /** @param {string} text what was printed next */
  add(text) {
    const pieces = (this.open + text).split("\n");
    this.open = pieces.pop() ?? "";
    for (const piece of pieces) this.push(piece.endsWith("\r") ? piece.slice(0, -1) : piece);
    if (this.lines.length > MOST_LINES * 1.1) {
      this.dropped += this.lines.length - MOST_LINES;
      this.lines = this.lines.slice(-MOST_LINES);
    }
  }

  /** @param {string} text */
  push(text) {
    const raw = lastDrawn(text);
    this.lines.push({ raw, before: this.style });
    this.style = styleAfter(text, this.style);
  }

  get count() {
    return this.lines.length + (this.open ? 1 : 0);
  }

  /** @param {number} place @returns {Line} */
  line(place) {
    return this.lines[place] ?? { raw: lastDrawn(this.open), before: this.style };
  }

  /**
   * The lines that hold these words, upper or lower case.
   * @param {string} words
   */
  find(words) {
    const wanted = words.toLowerCase();
    /** @type {number[]} */
    const found = [];
    if (!wanted) return found;
    for (let i = 0; i < this.count; i += 1) if (plainOf(this.line(i).raw).toLowerCase().includes(wanted)) found.push(i);
    return found;
  }
}
