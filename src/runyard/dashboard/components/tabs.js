import { signal } from "@preact/signals";
import { useErrorBoundary } from "preact/hooks";
import { html } from "../html.js";
import { plural } from "../format.js";
import { items, selection, tab } from "../state.js";
import { Failed } from "./failed.js";

const PANELS = ["charts", "overview", "diff", "grid", "parameters", "media", "output", "system"];

/** The panels whose file is there, by name. @type {import("@preact/signals").Signal<Record<string, any>>} */
const loaded = signal({});
/** @type {import("@preact/signals").Signal<readonly string[]>} */
const present = signal(/** @type {readonly string[]} */ ([]));

/** Fetches the panels: first the open one, then the rest while nothing else is to do. */
export async function startTabs() {
  const load = async (/** @type {string} */ name) => {
    try {
      const { default: Panel } = await import(`../panels/${name}.js`);
      loaded.value = { ...loaded.value, [name]: Panel };
      present.value = PANELS.filter((each) => each in loaded.value);
    } catch (error) {
      console.error(`The panel "${name}" cannot be loaded.`, error);
    }
  };
  await load(PANELS.includes(tab.peek()) ? tab.peek() : "charts");
  await Promise.all(PANELS.filter((name) => !(name in loaded.peek())).map(load));
}

/** The right side: one panel at a time, about what is selected. */
export function Tabs() {
  const name = present.value.includes(tab.value) ? tab.value : (present.value[0] ?? "");
  const Panel = loaded.value[name];
  const groups = items.value.filter((each) => each.isGroup).length;
  const runs = items.value.length - groups;
  const about = [groups ? plural(groups, "group") : "", runs ? plural(runs, "run") : ""].filter(Boolean).join(", ");
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    tab.value = present.value[(present.value.indexOf(name) + by + present.value.length) % present.value.length];
    /** @type {HTMLElement | null} */ (document.getElementById(`tab-${tab.value}`))?.focus();
  };
  return html`<section class="right" aria-label="Panels">
    <div class="tabs">
      <div class="tab-list" role="tablist" aria-label="Panels" onKeyDown=${onKey}>
        ${present.value.map(
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
