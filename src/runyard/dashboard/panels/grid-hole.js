import { html } from "../html.js";
import { LOOKING, mayChange } from "../session.js";

/**
 * A point of the grid that was never asked for: a click picks it, to be queued.
 * @param {{label: string, isPicked: boolean, onPick: () => void}} props
 */
export function GridHole({ label, isPicked, onPick }) {
  if (!mayChange.value) return html`<span class="grid-hole" title=${`${label}: never queued. ${LOOKING}`}>–</span>`;
  return html`<button class=${`grid-hole ${isPicked ? "is-picked" : ""}`} aria-pressed=${isPicked} aria-label=${`${label}: never queued. Pick it`} title=${`${label}: never queued`} onClick=${onPick}>${isPicked ? "✓" : "+"}</button>`;
}
