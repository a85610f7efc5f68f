import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bestOf, choice, FIELD_IDS, offered, toggleColumn, togglePin, wantAllNames } from "../columns.js";
import { setting } from "../format.js";
import { html } from "../html.js";
import { columns } from "../state.js";
import { Popover } from "./popover.js";

const MOST = 60;

/** Which columns there are: found by name, ticked, pinned; a metric by its best, last, min or max. */
export function ColumnMenu() {
  const hidden = choice.value.length;
  return html`<${Popover} label=${html`columns <span class="faint">${hidden}</span>`} title="Choose columns" menuClass="columns-menu">${() => html`<${Choices} />`}</${Popover}>`;
}

function Choices() {
  const wanted = useSignal("");
  useEffect(wantAllNames, []);
  const has = (/** @type {string} */ name) => name.toLowerCase().includes(wanted.value.toLowerCase());
  const ids = new Set(choice.value.map((each) => each.id));
  const fields = FIELD_IDS.filter(has);
  const settings = (offered.value?.config ?? []).filter((each) => has(each.key));
  const metrics = (offered.value?.metrics ?? []).filter((each) => has(each.key));
  return html`
    <div class="menu-search">
      <input class="input" type="search" placeholder="find a column" aria-label="Find a column" value=${wanted.value} onInput=${(/** @type {any} */ event) => (wanted.value = event.target.value)} />
      <button class="quiet" disabled=${columns.value === null} onClick=${() => (columns.value = null)}>reset</button>
    </div>
    <div class="menu-scroll">
      ${metrics.length > 0 && html`<div class="menu-head">Metrics</div>`}
      ${metrics.slice(0, MOST).map(
        ({ key }) => html`<div class="menu-item metric-choice" key=${key}>
          <span class="grow" title=${key}>${key}</span>
          ${["max", "min", "last"].map((word) => {
            const id = `metric:${key}.${word}`;
            const isBest = bestOf(key) === word && word !== "last";
            return html`<button key=${word} class=${`mini ${ids.has(id) ? "on" : ""}`} aria-pressed=${ids.has(id)} title=${isBest ? "its best" : undefined} onClick=${() => toggleColumn(id)}>${word}${isBest ? "·best" : ""}</button>`;
          })}
        </div>`,
      )}
      ${settings.length > 0 && html`<div class="menu-head">Settings</div>`}
      ${settings.slice(0, MOST).map((each) => html`<${Choice} key=${each.key} id=${`config:${each.key}`} label=${each.key} ids=${ids} hint=${each.distinct > 1 ? `${each.distinct} values` : setting(each.values[0])} />`)}
      ${settings.length + metrics.length > 2 * MOST && html`<div class="menu-head">More of them: find them by name</div>`}
      ${fields.length > 0 && html`<div class="menu-head">Of the run</div>`}
      ${fields.map((id) => html`<${Choice} key=${id} id=${id} label=${id.replaceAll("_", " ").replace(" s", ", s")} ids=${ids} hint="" />`)}
    </div>
  `;
}

/** @param {{id: string, label: string, ids: Set<string>, hint: string}} props */
function Choice({ id, label, ids, hint }) {
  const isShown = ids.has(id);
  const isPinned = choice.value.find((each) => each.id === id)?.isPinned ?? false;
  return html`<div class="menu-item">
    <label class="grow"><input type="checkbox" checked=${isShown} onChange=${() => toggleColumn(id)} /> <span>${label}</span></label>
    <span class="faint hint">${hint}</span>
    ${isShown && html`<button class=${`mini ${isPinned ? "on" : ""}`} aria-pressed=${isPinned} onClick=${() => togglePin(id)}>pin</button>`}
  </div>`;
}
