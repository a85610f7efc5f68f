import { complain } from "../actions.js";
import { downloadCsv } from "../csv.js";
import { plural } from "../format.js";
import { html } from "../html.js";
import { failure, groupTotal, isLoading, runTotal } from "../rows.js";
import { groupBy } from "../state.js";
import { ColumnMenu } from "./column-menu.js";
import { GroupMenu } from "./group-menu.js";
import { ViewsMenu } from "./views-menu.js";

/** Above the table: groups, columns, views, the file, and how many there are. */
export function TableTools() {
  const runs = runTotal.value;
  return html`<div class="tools" role="toolbar" aria-label="Table">
    <${GroupMenu} />
    <${ColumnMenu} />
    <${ViewsMenu} />
    <button class="chip" title="Download these rows as CSV" onClick=${() => downloadCsv().catch(complain)}>csv</button>
    <span class="sum" aria-live="polite">
      ${failure.value ? html`<span class="bad" title=${failure.value.message}>not up to date</span>` : html`${plural(runs, "run")}${groupBy.value ? ` · ${plural(groupTotal.value, "group")}` : ""}`}
      ${isLoading.value && html`<i class="spin" aria-hidden="true"></i>`}
    </span>
  </div>`;
}
