import { html } from "../html.js";

/** @import {Importance} from "./importance.js" */

/**
 * Which settings the metric goes with.
 * @param {{found: Importance[], metric: string, chosen: string, onChoose: (key: string) => void}} props
 */
export function ImportanceList({ found, metric, chosen, onChoose }) {
  if (!found.length) return html`<p class="panel-hint">Four finished runs or more are needed to say what ${metric} goes with.</p>`;
  return html`<div class="importance">
    ${found.slice(0, 20).map(
      (each) => html`<button key=${each.key} class=${each.key === chosen ? "on" : ""} aria-pressed=${each.key === chosen} onClick=${() => onChoose(each.key)} title=${`${each.n} runs`}>
        <span>${each.key}</span><span class="faint">${Number.isNaN(each.direction) ? "" : Math.abs(each.direction) < 0.15 ? "no slope" : each.direction > 0 ? "rises with it" : "falls with it"}</span>
        <i><b style=${{ width: `${Math.round(each.share * 100)}%` }}></b></i><em>${(each.share * 100).toFixed(0)} %</em>
      </button>`,
    )}
    <details>
      <summary>What these numbers are</summary>
      <p>The share of the variation of ${metric} that goes with each setting on its own. Runs are ranked, so that one outlier changes little. For numbers it is the larger of Spearman's correlation squared (finds slopes) and eta squared over up to five bins (finds hills); for words it is eta squared. All are corrected for the number of values, so that noise is near 0.</p>
      <p>It is no model: settings that matter only together show little, settings that were changed together share their merit, and nothing here proves a cause.</p>
    </details>
  </div>`;
}
