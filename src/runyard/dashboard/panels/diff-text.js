import { html } from "../html.js";
import { plainOf } from "./ansi.js";

const MOST_LINES = 1500; // of one file, before a person asks for the rest

/**
 * A unified diff in colours; what would colour a terminal is left out.
 * @param {{text: string, isAll: boolean, onAll: () => void}} props
 */
export function DiffText({ text, isAll, onAll }) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const shown = isAll ? lines : lines.slice(0, MOST_LINES);
  return html`<div class="diff-text">
    ${shown.map((line, i) => html`<div key=${i} class=${kindOf(line)}>${plainOf(line.slice(0, 2000)) || " "}</div>`)}
    ${shown.length < lines.length && html`<button class="button" onClick=${onAll}>Show ${lines.length - shown.length} more lines</button>`}
  </div>`;
}

/** @param {string} line */
function kindOf(line) {
  if (line.startsWith("+++") || line.startsWith("---")) return "is-name";
  if (line.startsWith("@@")) return "is-place";
  if (line.startsWith("+")) return "is-new";
  return line.startsWith("-") ? "is-old" : "";
}
