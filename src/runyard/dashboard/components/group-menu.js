import { offered } from "../columns.js";
import { html } from "../html.js";
import { batch } from "@preact/signals";
import { carry } from "../rows.js";
import { groupBy, select, selectedRuns, sort } from "../state.js";
import { Popover } from "./popover.js";

const MOST_UNFOLDED = 21;

/** What is selected stays so: as the groups that hold the runs, or as the runs of the groups. @param {string} by */
export function regroup(by) {
  const runs = selectedRuns.peek();
  batch(() => {
    select(by ? [] : runs.slice(0, MOST_UNFOLDED));
    carry(by ? runs : []);
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
