import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { html } from "../html.js";
import { hover, hovered, selection } from "../state.js";
import { RunCells } from "./run-cells.js";

/** @import {Column, Group, Run} from "../types.js" */
/** @import {Row} from "../rows.js" */

/**
 * @typedef {object} RowProps
 * @property {Row["kind"]} kind
 * @property {string} id
 * @property {Run} [run]
 * @property {Group} [group]
 * @property {boolean} [isOpen]
 * @property {number} index
 * @property {readonly Column[]} pinned
 * @property {readonly Column[]} columns the scrolled columns that are on screen
 * @property {number} gap width of those left of them
 * @property {string} editing id of the column that is edited in this row, or ""
 * @property {boolean} isActive whether the keyboard is here
 * @property {Record<string, number>} best of each metric column, to mark it
 * @property {(index: number, event: MouseEvent) => void} onPick
 * @property {(id: string) => void} onUnfold
 * @property {(index: number, column: string) => void} onEdit
 */

/**
 * One row: a run, a group of runs, or a place whose run is still on its way. Its element goes from place to place while
 * the table scrolls; what is in it is drawn again only if that is something else.
 * @param {RowProps} props
 */
export function RunRow({ kind, id, run, group, isOpen = false, index, pinned, columns, gap, editing, isActive, best, onPick, onUnfold, onEdit }) {
  // computed, so that a row is drawn when its own light goes on or off, and not whenever any does
  const isSelected = useMemo(() => computed(() => selection.value.includes(id)), [id]).value;
  const isLit = useMemo(() => computed(() => hovered.value?.run === id), [id]).value;
  const kinds = ["row", kind, isSelected && "selected", isLit && "lit", isActive && "active"].filter(Boolean).join(" ");
  return html`<div
    class=${kinds}
    role="row"
    id=${`row-${index}`}
    aria-rowindex=${index + 2}
    aria-selected=${isSelected}
    aria-expanded=${kind === "group" ? isOpen : undefined}
    style=${{ transform: `translateY(${index * 28}px)` }}
    onClick=${(/** @type {MouseEvent} */ event) => onPick(index, event)}
    onDblClick=${run && ((/** @type {any} */ event) => onEdit(index, event.target.closest(".cell")?.dataset.column ?? ""))}
    onMouseEnter=${() => kind !== "blank" && hover(id)}
    onMouseLeave=${() => hover(null)}
  >
    <${RunCells} ...${{ kind, id, run, group, isOpen, pinned, columns, gap, editing, isSelected, best, onUnfold, onEdit }} />
  </div>`;
}
