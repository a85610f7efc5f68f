import { html } from "../html.js";

/**
 * A labelled choice among config keys or metrics.
 * @param {{label: string, value: string, keys: readonly string[], none?: string, onChoose: (key: string) => void}} props
 */
export function AxisChoice({ label, value, keys, none, onChoose }) {
  return html`<label>${label}
    <select class="input" value=${value} onChange=${(/** @type {Event} */ event) => onChoose(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${none !== undefined && html`<option value="">${none}</option>`}
      ${keys.map((key) => html`<option key=${key} value=${key}>${key}</option>`)}
    </select>
  </label>`;
}
