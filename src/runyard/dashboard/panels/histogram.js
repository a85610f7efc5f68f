import { short } from "../charts/numbers.js";
import { html } from "../html.js";

/**
 * One histogram as bars.
 * @param {{edges: number[], counts: number[], notFinite: number, colour: number}} props
 */
export function Histogram({ edges, counts, notFinite, colour }) {
  const most = Math.max(...counts, 1);
  const span = edges[edges.length - 1] - edges[0] || 1;
  return html`<div class="histogram">
    <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label=${`Histogram from ${short(edges[0])} to ${short(edges[edges.length - 1])}`}>
      ${counts.map((count, i) => {
        const height = (38 * count) / most;
        return html`<rect x=${(100 * (edges[i] - edges[0])) / span} width=${Math.max((100 * (edges[i + 1] - edges[i])) / span - 0.3, 0.2)} y=${40 - height} height=${height} fill=${`var(--c${colour + 1})`}><title>${`${short(edges[i])} to ${short(edges[i + 1])}: ${count}`}</title></rect>`;
      })}
    </svg>
    <p class="medium-axis"><span>${short(edges[0])}</span>${notFinite > 0 && html`<span class="warn">${notFinite} not finite</span>`}<span>${short(edges[edges.length - 1])}</span></p>
  </div>`;
}
