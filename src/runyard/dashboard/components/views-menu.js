import { signal, useSignal } from "@preact/signals";
import { complain, say } from "../actions.js";
import * as api from "../api.js";
import { html } from "../html.js";
import { mayChange } from "../session.js";
import { currentHash } from "../state.js";
import { Popover } from "./popover.js";

/** @type {import("@preact/signals").Signal<readonly {name: string, hash: string}[]>} */
const saved = signal(/** @type {readonly {name: string, hash: string}[]} */ ([]));

async function load() {
  try {
    const { views } = await api.views();
    const pairs = /** @type {[string, any][]} */ (Array.isArray(views) ? views.map((each) => [each.name, each.view ?? each]) : Object.entries(views));
    saved.value = pairs.map(([name, view]) => ({ name, hash: String(view.hash ?? "") })).filter((each) => each.hash.startsWith("#/"));
  } catch (error) {
    complain(error);
  }
}

/** Views with a name: filter, columns, groups, selection and panel, as they are in the URL. */
export function ViewsMenu() {
  return html`<${Popover} label="views" title="Saved views" menuClass="views-menu">${(/** @type {() => void} */ close) => html`<${Views} close=${close} />`}</${Popover}>`;
}

/** @param {{close: () => void}} props */
function Views({ close }) {
  const name = useSignal("");
  const isLoaded = useSignal(false);
  if (!isLoaded.peek()) {
    isLoaded.value = true;
    load();
  }
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    try {
      await api.saveView(name.value.trim(), { hash: currentHash() });
      say(`View “${name.value.trim()}” saved.`);
      close();
    } catch (error) {
      complain(error);
    }
  };
  const remove = async (/** @type {string} */ gone) => {
    const old = saved.peek().find((each) => each.name === gone);
    try {
      await api.deleteView(gone);
      await load();
      say(`View “${gone}” deleted.`, { undo: () => old && api.saveView(gone, { hash: old.hash }).catch(complain) });
    } catch (error) {
      complain(error);
    }
  };
  return html`
    ${mayChange.value &&
    html`<form class="menu-search" onSubmit=${save}>
      <input class="input" placeholder="name of this view" aria-label="Name of this view" value=${name.value} onInput=${(/** @type {any} */ event) => (name.value = event.target.value)} />
      <button class="button">Save</button>
    </form>`}
    <div class="menu-scroll">
      ${saved.value.length === 0 && html`<div class="menu-head">${mayChange.value ? "Filter, columns, groups, selection and panel are kept." : "Nobody has saved one yet."}</div>`}
      ${saved.value.map(
        (each) => html`<div class="menu-item" key=${each.name}>
          <a class="grow" href=${each.hash} onClick=${close}>${each.name}</a>
          ${mayChange.value && html`<button class="quiet" aria-label=${`Delete view ${each.name}`} onClick=${() => remove(each.name)}>×</button>`}
        </div>`,
      )}
    </div>
  `;
}
