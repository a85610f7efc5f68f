import { html } from "../html.js";

const TAIL = 10; // letters
const SHORT = 24;

/**
 * A name that gives way in its middle: runs of one grid differ at their ends.
 * @param {{text: string}} props
 */
export function LongName({ text }) {
  if (text.length <= SHORT) return html`<span class="long-name"><span>${text}</span></span>`;
  const letters = [...text]; // whole characters, so that none is cut in two
  return html`<span class="long-name" title=${text.slice(0, 400)}><span>${letters.slice(0, -TAIL).join("")}</span><span>${letters.slice(-TAIL).join("")}</span></span>`;
}
