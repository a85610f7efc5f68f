import { html } from "../html.js";
import { CopyLine } from "./copy-line.js";

/**
 * Where nothing is yet: what would be here, and what to type for it.
 * @param {{title: string, commands?: readonly string[], children?: any}} props
 */
export function Empty({ title, commands = [], children }) {
  return html`<div class="empty">
    <div class="empty-mark" aria-hidden="true"><i></i><i></i><i></i></div>
    <h2>${title}</h2>
    <div class="empty-text">${children}</div>
    ${commands.map((line) => html`<${CopyLine} text=${line} key=${line} />`)}
  </div>`;
}
