import { offered } from "../columns.js";
import { html } from "../html.js";
import { batch } from "@preact/signals";
import { groupBy, select, sort } from "../state.js";
import { Popover } from "./popover.js";

/** Selected groups mean nothing in another grouping. @param {string} by */
export function regroup(by) {
  batch(() => {
    select([]);
    groupBy.value = by;
    if (!/^-?(config|metric)/.test(sort.peek())) sort.value = "";
  });
}

/** Folds runs: all but the seed, or by chosen settings. */
export function GroupMenu() {
  const by = groupBy.value;
  const keys = by && by !== "all-but-seed" ? by.split(",") : [];
  const toggle = (/** @type {string} */ key) => regroup((keys.includes(key) ? keys.filter((each) => each !== key) : [...keys, key]).join(","));
  const settings = (offered.value?.config ?? []).filter((each) => each.distinct > 1);
  return html`<button class=${`chip ${by === "all-but-seed" ? "on" : ""}`} aria-pressed=${by === "all-but-seed"} title="One row per setting: mean ± standard deviation over its seeds (g)" onClick=${() => regroup(by === "all-but-seed" ? "" : "all-but-seed")}>
      all but seed
    </button>
    <${Popover} className=${`chip ${keys.length ? "on" : ""}`} label=${keys.length ? `by ${keys.map((key) => key.split(".").at(-1)).join(", ")}` : "group by"} title="Group by settings" menuClass="group-menu">
      ${(/** @type {() => void} */ close) => html`
        <div class="menu-head">One row for each value of</div>
        <div class="menu-scroll">
          ${settings.length === 0 && html`<div class="menu-item faint">No setting differs between these runs.</div>`}
          ${settings.map(
            (each) => html`<label class="menu-item" key=${each.key}>
              <input type="checkbox" checked=${keys.includes(each.key)} onChange=${() => toggle(each.key)} />
              <span class="grow">${each.key}</span><span class="faint">${each.distinct} values</span>
            </label>`,
          )}
        </div>
        ${by &&
        html`<button
          class="menu-item"
          onClick=${() => {
            regroup("");
            close();
          }}
        >
          No groups
        </button>`}
      `}
    </${Popover}>`;
}
