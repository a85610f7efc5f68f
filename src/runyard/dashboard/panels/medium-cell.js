import { useEffect, useState } from "preact/hooks";

import * as api from "../api.js";
import { bytes } from "../format.js";
import { html } from "../html.js";
import { ConfusionMatrix } from "./confusion-matrix.js";
import { Histogram } from "./histogram.js";
import { HistogramHeat } from "./histogram-heat.js";
import { MediumTable } from "./medium-table.js";

/** @import {MediaItem} from "../types.js" */

/**
 * What one run has logged under one key, as it was at a step.
 * @param {{items: MediaItem[], kind: string, step: number, colour: number}} props `items` by step
 */
export function MediumCell({ items, kind, step, colour }) {
  const item = [...items].reverse().find((each) => each.step <= step) ?? items[0];
  const [loaded, setLoaded] = useState(/** @type {{item: MediaItem, content: any, meta: Record<string, unknown>} | null} */ (null));
  const [problem, setProblem] = useState("");
  const address = item ? api.mediaUrl(item) : "";
  useEffect(() => {
    if (!item) return;
    const stop = new AbortController();
    setProblem("");
    api.mediumOf(item, stop.signal).then(
      (found) => setLoaded({ item, ...found }),
      (error) => stop.signal.aborted || setProblem(error.message),
    );
    return () => stop.abort();
  }, [address]);
  if (!item) return html`<p class="media-none">not logged</p>`;
  if (problem) return html`<p class="panel-problem" role="alert">${problem}</p>`;
  const ready = loaded && loaded.item.kind === item.kind ? loaded : null;
  const caption = ready && api.mediaUrl(ready.item) === address ? ready.meta.caption : "";
  return html`<div class="medium">
    ${kind === "histogram" && items.length > 1 && html`<${HistogramHeat} items=${items} step=${item.step} colour=${colour} />`}
    ${item.mime.startsWith("image/") ? html`<img src=${address} alt=${typeof caption === "string" && caption ? caption : `${item.key} at step ${item.step}`} loading="lazy" />` : ready ? shownAs(item.kind, ready.content, { colour, address, mime: item.mime, name: `${item.key.replace(/[^\w.-]+/g, "-").slice(-80)}-${item.step}` }) : html`<div class="medium-waits"></div>`}
    <p class="medium-foot">step ${item.step}${typeof caption === "string" && caption ? html` · <span>${caption}</span>` : ""}</p>
  </div>`;
}

/**
 * @param {string} kind
 * @param {any} content
 * @param {{colour: number, address: string, mime: string, name: string}} about `name`: as a file
 */
function shownAs(kind, content, { colour, address, mime, name }) {
  if (kind === "confusion_matrix") return html`<${ConfusionMatrix} labels=${content.labels} matrix=${content.matrix} colour=${colour} />`;
  if (kind === "histogram") return html`<${Histogram} edges=${content.edges} counts=${content.counts} notFinite=${content.not_finite} colour=${colour} />`;
  if (kind === "table") return html`<${MediumTable} columns=${content.columns} rows=${content.rows} />`;
  if (content instanceof Blob) return html`<p class="media-none">${bytes(content.size)} of ${mime.slice(0, 80)}, which is not shown here. <a class="link" href=${address} download=${name}>Save it</a></p>`;
  return html`<pre class="medium-text">${typeof content === "string" ? content : JSON.stringify(content, null, 2)}</pre>`;
}
