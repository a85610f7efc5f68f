import { edit } from "../actions.js";
import { colourOf } from "../colours.js";
import { age, duration, measured, moment, NOTHING, setting, settingOf, share, spread, stateClass, stateWord } from "../format.js";
import { html } from "../html.js";
import { now, toggle } from "../state.js";
import { Editor } from "./editable.js";

/** @import {Column, Group, Run} from "../types.js" */
/** @import {Row} from "../rows.js" */
/** @import {RowProps} from "./run-row.js" */

/**
 * What is in a row. It reads a signal in any case, so that it is drawn again only when a prop or that signal changes.
 * @param {Omit<RowProps, "index" | "isActive" | "onPick"> & {isSelected: boolean}} props
 */
export function RunCells({ kind, id, run, group, isOpen = false, pinned, columns, gap, editing, isSelected, best, onUnfold, onEdit }) {
  void now.value;
  const row = /** @type {Row} */ ({ kind, id, run, group, isOpen });
  const cell = (/** @type {Column} */ column, /** @type {string} */ extra = "", /** @type {number | undefined} */ left = undefined) =>
    html`<div
      class=${`cell ${column.isNumber ? "num" : ""} ${extra}`}
      role="gridcell"
      key=${column.id}
      data-column=${column.id}
      style=${{ width: `${column.width}px`, ...(left === undefined ? {} : { left: `${left}px` }) }}
    >
      ${content(row, column, { isSelected, editing, best, onUnfold, onEdit: () => onEdit(-1, "") })}
    </div>`;
  let left = 0;
  return html`${pinned.map((column) => {
      const at = left;
      left += column.width;
      return cell(column, "pinned", at);
    })}
    <div class="gap" style=${{ width: `${gap}px` }}></div>
    ${columns.map((column) => cell(column))}`;
}

/**
 * @param {Row} row
 * @param {Column} column
 * @param {{isSelected: boolean, editing: string, best: Record<string, number>, onUnfold: (id: string) => void, onEdit: () => void}} how
 */
function content(row, column, { isSelected, editing, best, onUnfold, onEdit }) {
  if (row.kind === "blank") return html`<i class="ghost"></i>`;
  if (row.kind === "group") return groupContent(row.group, row.isOpen, row.id, column, isSelected, best, onUnfold);
  if (editing === column.id) return editor(row.run, column.id, onEdit);
  return runContent(row.run, row.id, column, isSelected, best);
}

/** @param {string} id @param {boolean} isSelected @param {string} label */
function dot(id, isSelected, label) {
  const pick = (/** @type {Event} */ event) => {
    event.stopPropagation();
    toggle(id);
  };
  return html`<button class="pick" role="checkbox" tabindex="-1" aria-checked=${isSelected} aria-label=${`Select ${label}`} onClick=${pick}>
    <i class=${`dot ${isSelected ? "" : "off"}`} style=${{ background: isSelected ? colourOf(id) : "" }}></i>
  </button>`;
}

/** @param {Run} run @param {string} id @param {Column} column @param {boolean} isSelected @param {Record<string, number>} best */
function runContent(run, id, column, isSelected, best) {
  if (column.kind === "config") {
    const text = setting(settingOf(run.config, column.key));
    return html`<span title=${text.length > 16 ? text : undefined}>${text}</span>`;
  }
  if (column.kind === "metric") {
    const value = /** @type {any} */ (run.summary[column.key])?.[column.statistic ?? "last"];
    const step = /** @type {any} */ (run.summary[column.key])?.[`${column.statistic}_step`];
    return html`<span class=${value !== null && value === best[column.id] ? "best" : ""} title=${step === undefined || step === null ? undefined : `at step ${step}`}>${measured(value)}</span>`;
  }
  switch (column.id) {
    case "state": {
      const part = run.state === "RUNNING" ? share(run.progress) : null;
      const hint = [stateWord(run.state), run.reason, run.progress?.label].filter(Boolean).join(" · ");
      return html`<span class=${`state ${stateClass(run.state)}`} title=${hint}>
        ${part === null ? stateWord(run.state) : html`<span class="mini-bar"><i style=${{ width: `${part * 100}%` }}></i></span>${Math.round(part * 100)} %`}
      </span>`;
    }
    case "name":
      return html`${dot(id, isSelected, run.name)}<span class="name" title=${run.note ? `${run.name}\n${run.note}` : run.name}>${run.name}</span>`;
    case "duration_s":
      return run.state === "RUNNING" && run.started_at
        ? html`<span title=${run.progress?.remaining_s ? `${duration(run.progress.remaining_s)} left` : undefined}>${duration((now.value - Date.parse(run.started_at)) / 1000)}</span>`
        : duration(run.duration_s);
    case "created_at":
      return html`<span title=${moment(run.created_at)}>${age(run.created_at, now.value)}</span>`;
    case "tags":
      return html`${run.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span> `)}`;
    default: {
      const value = run[column.id];
      return html`<span title=${typeof value === "string" ? value : undefined}>${value === null || value === undefined ? "" : String(value)}</span>`;
    }
  }
}

/** @param {Group} group @param {boolean} isOpen @param {string} id @param {Column} column @param {boolean} isSelected @param {Record<string, number>} best @param {(id: string) => void} onUnfold */
function groupContent(group, isOpen, id, column, isSelected, best, onUnfold) {
  if (column.kind === "config") return setting(settingOf(group.config, column.key));
  if (column.kind === "metric") {
    const found = group.metrics[`${column.key}.${column.statistic}`];
    if (!found || found.mean === null) return html`<span class="faint">${NOTHING}</span>`;
    const [mean, std] = spread(found.mean, found.n > 1 ? found.std : null);
    return html`<span class=${found.mean === best[column.id] ? "best" : ""}>${mean}</span>${std && html` <span class="pm">± ${std}</span>`} <span class="pm">(${found.n})</span>`;
  }
  if (column.id === "state") {
    const states = Object.entries(group.states).filter(([, n]) => n > 0);
    if (states.length === 1) return html`<span class=${`state ${stateClass(states[0][0])}`}>${stateWord(states[0][0])}</span>`;
    return html`<span class="states" title=${states.map(([state, n]) => `${n} ${stateWord(state)}`).join(", ")}>
      ${states.map(([state, n]) => html`<span class=${`state ${stateClass(state)}`} key=${state}>${n}</span>`)}
    </span>`;
  }
  if (column.id === "name") {
    const unfold = (/** @type {Event} */ event) => {
      event.stopPropagation();
      onUnfold(group.id);
    };
    return html`<button class=${`fold ${isOpen ? "open" : ""}`} tabindex="-1" aria-label=${isOpen ? "Fold" : "Unfold"} onClick=${unfold}></button>${dot(id, isSelected, group.label)}<span
        class="name"
        title=${group.label}
        >${group.label || "all runs"}</span
      ><span class="n">${group.n}</span>`;
  }
  return "";
}

/** @param {Run} run @param {string} column @param {() => void} onEnd */
function editor(run, column, onEnd) {
  const finish = (/** @type {string | null} */ text) => {
    onEnd();
    if (text === null) return;
    if (column === "name" && text.trim()) edit(run.id, { name: text.trim() });
    if (column === "note") edit(run.id, { note: text });
    if (column === "tags") {
      const wanted = text.split(/[,\s]+/).filter(Boolean);
      edit(run.id, { add_tags: wanted.filter((tag) => !run.tags.includes(tag)), remove_tags: run.tags.filter((tag) => !wanted.includes(tag)) });
    }
  };
  const value = column === "name" ? run.name : column === "note" ? (run.note ?? "") : run.tags.join(", ");
  return html`<${Editor} value=${value} label=${`${column} of ${run.name}`} placeholder=${column === "tags" ? "tags, with commas" : ""} onDone=${finish} />`;
}
