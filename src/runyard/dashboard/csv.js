/** The table as a file. */
import { say } from "./actions.js";
import { save } from "./charts/saving.js";
import { shown } from "./columns.js";
import { count, settingOf } from "./format.js";
import { everything } from "./rows.js";
import { project } from "./state.js";

/** @import {Column, Group, Run} from "./types.js" */

/** A cell of CSV; a leading sign of a formula is disarmed, as spreadsheets would execute it. @param {unknown} value */
export function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {Run | Group} row @param {Column} column @returns {unknown[]} */
function values(row, column) {
  if ("run_ids" in row) {
    const group = /** @type {Group} */ (row);
    if (column.kind === "config") return [settingOf(group.config, column.key)];
    if (column.kind === "metric") {
      const found = group.metrics[`${column.key}.${column.statistic}`];
      return [found?.mean, found?.std];
    }
    if (column.id === "name") return [group.label];
    return [column.id === "state" ? Object.entries(group.states).map(([state, n]) => `${state} ${n}`).join(" ") : ""];
  }
  const run = /** @type {Run} */ (row);
  if (column.kind === "config") return [settingOf(run.config, column.key)];
  if (column.kind === "metric") return [/** @type {any} */ (run.summary[column.key])?.[column.statistic ?? "last"]];
  if (column.id === "tags") return [run.tags.join(" ")];
  return [run[column.id]];
}

/** Downloads all rows of the filter, with the columns that the table has. */
export async function downloadCsv() {
  const columns = shown.peek();
  let isSlow = false;
  const rows = await everything((done) => {
    if (done >= 2000 && !isSlow) {
      isSlow = true;
      say(`Collecting runs …`);
    }
  });
  const isGrouped = rows.length > 0 && "run_ids" in rows[0];
  const titles = columns.flatMap((each) => {
    const title = each.kind === "metric" ? `${each.key}.${each.statistic}` : each.kind === "field" ? each.id : each.key;
    return isGrouped && each.kind === "metric" ? [`${title} mean`, `${title} std`] : [title];
  });
  const head = isGrouped ? ["n", ...titles] : ["id", ...titles.filter((each) => each !== "id")];
  const lines = rows.map((row) => {
    const own = isGrouped ? [/** @type {Group} */ (row).n] : [row.id];
    return [...own, ...columns.filter((each) => isGrouped || each.id !== "id").flatMap((each) => values(row, each))].map(cell).join(",");
  });
  const blob = new Blob([`${[head.map(cell).join(","), ...lines].join("\r\n")}\r\n`], { type: "text/csv" });
  save(blob, `${project.peek()}-${isGrouped ? "groups" : "runs"}.csv`);
  say(`${count(rows.length)} rows written.`);
}
