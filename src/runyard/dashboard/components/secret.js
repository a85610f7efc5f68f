import { html } from "../html.js";
import { CopyLine } from "./copy-line.js";

/**
 * A token or a link, which the server tells this once.
 * @param {{title: string, text: string, onClose: () => void}} props
 */
export function Secret({ title, text, onClose }) {
  return html`<div class="secret" role="status">
    <p>${title} <b>It is shown this once.</b></p>
    <${CopyLine} text=${text} />
    <button class="quiet" onClick=${onClose}>Done</button>
  </div>`;
}
