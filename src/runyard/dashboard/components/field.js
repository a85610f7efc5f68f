import { html } from "../html.js";

/**
 * A line to fill in, with its name above it.
 * @param {{label: string, value: import("@preact/signals").Signal<string>, type?: string, hint?: string, complete?: string, isFirst?: boolean}} props `complete`: what password managers may fill in
 */
export function Field({ label, value, type = "text", hint, complete = "off", isFirst = false }) {
  return html`<label class="field">
    <span>${label}</span>
    <input class="input" type=${type} autocomplete=${complete} autofocus=${isFirst} required value=${value.value} onInput=${(/** @type {any} */ event) => (value.value = event.target.value)} />
    ${hint && html`<small class="faint">${hint}</small>`}
  </label>`;
}
