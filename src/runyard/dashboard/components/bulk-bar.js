import { useSignal } from "@preact/signals";
import { act, MOST_SELECTED, tagAll, takeAll } from "../actions.js";
import { count, plural } from "../format.js";
import { html } from "../html.js";
import { total } from "../rows.js";
import { LOOKING, mayChange } from "../session.js";
import { groupBy, items, seen, select, selectedRuns } from "../state.js";
import { Editor } from "./editable.js";

const ENDED = /COMPLETED|FAILED|OUT_OF_MEMORY|TIMED_OUT|STOPPED|INTERRUPTED|LOST/;

/** What can be done to all that is selected. */
export function BulkBar() {
  const isTagging = useSignal(false);
  const ids = selectedRuns.value;
  if (items.value.length === 0) return null;
  const all = Math.min(total.value, MOST_SELECTED);
  const states = ids.map((id) => seen(id)?.state);
  const canStop = states.some((state) => state === undefined || !ENDED.test(state));
  const canRetry = states.some((state) => state === undefined || ENDED.test(state));
  const onTags = (/** @type {string | null} */ text) => {
    isTagging.value = false;
    const words = (text ?? "").split(/[,\s]+/).filter(Boolean);
    const add = words.filter((each) => !each.startsWith("-")).map((each) => each.replace(/^\+/, ""));
    const remove = words.filter((each) => each.startsWith("-")).map((each) => each.slice(1));
    if (add.length || remove.length) tagAll(ids, add, remove);
  };
  return html`<div class="bulk" role="toolbar" aria-label="Selected runs">
    <b>${plural(ids.length, "run")}</b>
    ${items.value.filter((each) => each.isGroup === (groupBy.value !== "")).length < all && html`<button class="quiet" title="Ctrl A" onClick=${takeAll}>Select ${all < total.value ? "the first" : "all"} ${count(all)}</button>`}
    ${!mayChange.value && html`<span class="faint" title=${LOOKING}>only to look at</span>`}
    ${mayChange.value && (isTagging.value
      ? html`<${Editor} value="" label="Tags" placeholder="tag, -tag takes one off" onDone=${onTags} />`
      : html`<button class="quiet" onClick=${() => (isTagging.value = true)}>Tag</button>`)}
    ${mayChange.value && canStop && html`<button class="quiet" onClick=${() => act("stop", ids)}>Stop</button>`}
    ${mayChange.value && canRetry && html`<button class="quiet" onClick=${() => act("retry", ids)}>Retry</button>`}
    ${mayChange.value && html`<button class="quiet danger" onClick=${() => act("trash", ids)}>Delete</button>`}
    <button class="quiet push" onClick=${() => select([])} title="Esc">Clear</button>
  </div>`;
}
