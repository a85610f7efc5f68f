import { effect } from "@preact/signals";
import { useEffect, useErrorBoundary, useRef } from "preact/hooks";
import { html } from "../html.js";
import { plural } from "../format.js";
import { failure, version } from "../rows.js";
import { items, selection, tab } from "../state.js";
import { Failed } from "./failed.js";
import { Later } from "./later.js";

const LATER_MS = 1000;
const AROUND = 16; // pixels beside the open tab where there is no room for all
const PANELS = ["charts", "overview", "diff", "grid", "parameters", "media", "output", "system"];

const files = new Later(Object.fromEntries(PANELS.map((name) => [name, async () => (await import(`../panels/${name}.js`)).default])));
const known = (/** @type {string} */ name) => (PANELS.includes(name) ? name : PANELS[0]);

/** Fetches the open panel after the first rows, and the rest a moment later: until then the rows have the way to themselves. */
export function startTabs() {
  effect(() => {
    if (version.value === 0 && failure.value === null) return;
    announceLater();
    files.fetch(known(tab.value));
  });
  setTimeout(() => files.fetchAll(), LATER_MS);
}

/** The server has named what the charts import, so that the browser does not find these files one by one. */
function announceLater() {
  for (const link of document.querySelectorAll('link[rel="later"]')) /** @type {HTMLLinkElement} */ (link).rel = "modulepreload";
}

/** The right side: one panel at a time, about what is selected. */
export function Tabs() {
  const name = known(tab.value);
  const Panel = files.get(name);
  const groups = items.value.filter((each) => each.isGroup).length;
  const runs = items.value.length - groups;
  const about = [groups ? plural(groups, "group") : "", runs ? plural(runs, "run") : ""].filter(Boolean).join(", ");
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    tab.value = PANELS[(PANELS.indexOf(name) + by + PANELS.length) % PANELS.length];
    /** @type {HTMLElement | null} */ (document.getElementById(`tab-${tab.value}`))?.focus();
  };
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const bar = /** @type {HTMLElement} */ (box.current);
    const open = /** @type {HTMLElement} */ (bar.querySelector(`#tab-${name}`));
    const over = open.getBoundingClientRect().right - bar.getBoundingClientRect().right;
    const under = bar.getBoundingClientRect().left - open.getBoundingClientRect().left;
    if (over > 0 || under > 0) bar.scrollLeft += over > 0 ? over + AROUND : -under - AROUND;
  }, [name]);
  return html`<section class="right" aria-label="Panels">
    <div class="tabs" ref=${box}>
      <div class="tab-list" role="tablist" aria-label="Panels" onKeyDown=${onKey}>
        ${PANELS.map(
          (each) => html`<button
            key=${each}
            id=${`tab-${each}`}
            role="tab"
            aria-selected=${each === name}
            aria-controls="panel"
            tabindex=${each === name ? 0 : -1}
            class=${each === name ? "on" : ""}
            onClick=${() => (tab.value = each)}
          >
            ${each[0].toUpperCase() + each.slice(1)}
          </button>`,
        )}
      </div>
      <span class="about">${selection.value.length ? `${about} selected` : "nothing selected"}</span>
    </div>
    <div class="panel" id="panel" role="tabpanel" aria-labelledby=${`tab-${name}`}>${Panel && html`<${Guard} key=${name}><${Panel} /></${Guard}>`}</div>
  </section>`;
}

/** Keeps an error of a panel inside it. @param {{children: any}} props */
function Guard({ children }) {
  const [error, reset] = useErrorBoundary((caught) => console.error(caught));
  return error ? html`<${Failed} error=${error} onAgain=${reset} />` : children;
}
