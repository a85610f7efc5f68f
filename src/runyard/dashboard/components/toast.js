import { dismiss, toasts } from "../actions.js";
import { html } from "../html.js";

/** What was just done, at the lower edge, with the way back. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      (each) => html`<div class=${`toast ${each.kind}`} key=${each.id}>
        <span>${each.text}</span>
        ${each.undo &&
        html`<button
          class="undo"
          onClick=${() => {
            each.undo?.();
            dismiss(each.id);
          }}
        >
          Undo
        </button>`}
        <button class="quiet" aria-label="Dismiss" onClick=${() => dismiss(each.id)}>×</button>
      </div>`,
    )}
  </div>`;
}
