import { spread as written, stateWord } from "../format.js";
import { html } from "../html.js";
import { mayChange } from "../session.js";
import { hover } from "../state.js";

/** @import {Group} from "../types.js" */

/**
 * A point of the grid: its mean, how sure it is, and what became of its runs.
 * @param {object} props
 * @param {Group} props.group
 * @param {{mean: number | null, std: number | null, n: number} | null} props.spread
 * @param {number} props.shade 0 (worst) to 1
 * @param {boolean} props.isBest
 * @param {boolean} props.isSelected
 * @param {string[]} props.failed ids of runs that can be tried again
 * @param {() => void} props.onChoose
 * @param {(ids: string[]) => void} props.onRetry
 */
export function GridCell({ group, spread, shade, isBest, isSelected, failed, onChoose, onRetry }) {
  const [mean, std] = written(spread?.mean, spread?.std);
  const waiting = (group.states.QUEUED ?? 0) + (group.states.HELD ?? 0);
  const running = group.states.RUNNING ?? 0;
  const states = Object.entries(group.states).map(([state, n]) => `${n} ${stateWord(state)}`);
  const ground = spread ? `color-mix(in srgb, var(--c1) ${Math.round(6 + shade * 46)}%, var(--sunk))` : "var(--sunk)";
  return html`<div class=${`grid-cell ${isBest ? "is-best" : ""} ${isSelected ? "is-selected" : ""}`} style=${{ background: ground }}>
    <button class="grid-value" aria-pressed=${isSelected} title=${`${group.label}: ${states.join(", ")}`} onClick=${onChoose} onPointerEnter=${() => hover(`g:${group.id}`)} onPointerLeave=${() => hover(null)}>
      <b>${spread ? mean : "–"}</b><small>${std ? `± ${std}` : ""} ${spread ? `(${spread.n})` : ""}</small>
    </button>
    <span class="grid-states">
      ${running > 0 && html`<i class="running">${running} running</i>`}
      ${waiting > 0 && html`<i>${waiting} waiting</i>`}
      ${failed.length > 0 && mayChange.value && html`<button class="grid-retry" title=${`Put ${failed.length} back into the queue`} onClick=${() => onRetry(failed)}>▲ retry ${failed.length}</button>`}
    </span>
  </div>`;
}
