import { shown } from "../charts/shown.js";
import { html } from "../html.js";

/**
 * Which of the selected runs a panel is about, for panels that show one; a dot in its colour if there is no choice.
 * @param {{value: string, onChoose: (id: string) => void}} props
 */
export function RunChoice({ value, onChoose }) {
  const runs = shown.value.flatMap((item) => item.runIds.map((id, i) => ({ id, colour: item.colour, label: item.runIds.length > 1 ? `${item.label} · ${i + 1} of ${item.runIds.length}` : item.label })));
  const mine = runs.find((run) => run.id === value);
  if (runs.length < 2) return html`<i class="swatch" style=${{ background: `var(--c${(mine?.colour ?? 0) + 1})` }}></i>`;
  return html`<label class="run-choice">
    <i class="swatch" style=${{ background: `var(--c${(mine?.colour ?? 0) + 1})` }}></i>
    <select class="input" aria-label="Run" value=${value} onChange=${(/** @type {Event} */ event) => onChoose(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${runs.slice(0, 500).map((run) => html`<option value=${run.id}>${run.label}</option>`)}
    </select>
  </label>`;
}
