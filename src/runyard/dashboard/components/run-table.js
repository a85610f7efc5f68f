import { useSignal } from "@preact/signals";
import { useCallback, useEffect, useMemo, useRef } from "preact/hooks";
import { moveColumn, resizeColumn, shown } from "../columns.js";
import { html } from "../html.js";
import { bestLoaded, failure, isLoading, look, rowAt, total, unfold, version } from "../rows.js";
import { mayChange } from "../session.js";
import { hover, query, select, selection, sort, toggle } from "../state.js";
import { Empty } from "./empty.js";
import { Failed } from "./failed.js";
import { RunRow } from "./run-row.js";

/** @import {Column} from "../types.js" */

const ROW = 28;
const HEAD = 28;
const SPARE = 6;
const PHONE = 480;
const EDITABLE = new Set(["name", "tags", "note"]);

/** What the keyboard can do to the table from anywhere on the page. */
export const tableKeys = { move: (/** @type {number} */ _by, /** @type {boolean} */ _isRange) => {}, toggle: () => {}, unfold: (/** @type {boolean} */ _isOpen) => {}, edit: () => {}, focus: () => {} };

/** The table of runs: only the rows and columns that are on screen exist. */
export function RunTable() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const view = useSignal({ top: 0, left: 0, width: 600, height: 600 });
  const active = useSignal(-1);
  const anchor = useRef(0);
  const before = useRef(selection.peek()); // what was selected before the last click
  const editing = useSignal({ index: -1, column: "" });

  useEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const read = () => {
      const { scrollTop: top, scrollLeft: left, clientWidth: width, clientHeight: height } = element;
      const old = view.peek();
      if (old.top !== top || old.left !== left || old.width !== width || old.height !== height) view.value = { top, left, width, height };
    };
    let isAsked = false;
    const onScroll = () => {
      if (isAsked) return;
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        read();
      });
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    read();
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, []);

  const rows = total.value;
  const { top, left, width, height } = view.value;
  const size = Math.min(rows, Math.ceil(height / ROW) + 1 + 2 * SPARE); // always as many, see `indexes`
  const first = Math.max(0, Math.min(Math.floor(top / ROW) - SPARE, rows - size));
  const last = first + size - 1;
  useEffect(() => look(first, last), [first, last, version.value]);

  const all = shown.value;
  const kept = useRef(/** @type {Record<string, {text: string, value: any}> | null} */ ({}));
  const held = /** @type {Record<string, {text: string, value: any}>} */ (kept.current);
  // rows are drawn again only if what they get has changed, so equal things stay the same thing
  const steady = (/** @type {string} */ name, /** @type {any} */ value) => {
    const text = JSON.stringify(value);
    const old = held[name];
    if (old?.text === text) return old.value;
    held[name] = { text, value };
    return value;
  };
  const wished = all.filter((each) => each.isPinned);
  const most = width * (width < PHONE ? 0.6 : 0.84);
  while (wished.length > 1 && sum(wished) > most) wished.splice(wished.at(-1)?.id === "name" ? 0 : wished.length - 1, 1);
  const pinned = steady("pinned", wished);
  const loose = all.filter((each) => !wished.includes(each));
  const pinnedWidth = sum(pinned);
  const { columns, gap } = steady("columns", onScreen(loose, left, width - pinnedWidth));
  const fullWidth = Math.max(pinnedWidth + sum(loose), width);
  const best = steady("best", useMemo(() => bestLoaded(all), [all, version.value]));

  const scrollTo = (/** @type {number} */ index) => {
    const element = /** @type {HTMLElement} */ (box.current);
    const y = index * ROW;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW + HEAD > element.scrollTop + element.clientHeight) element.scrollTop = y + ROW + HEAD - element.clientHeight;
  };
  const range = (/** @type {number} */ from, /** @type {number} */ to) => {
    const ids = [];
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++) {
      const row = rowAt(i);
      if (row.kind !== "blank" && row.kind !== (rowAt(to).kind === "group" ? "child" : "")) ids.push(row.id);
    }
    select([...new Set([...selection.peek(), ...ids])]);
  };
  const onPick = useCallback((/** @type {number} */ index, /** @type {MouseEvent} */ event) => {
    const row = rowAt(index);
    if (row.kind === "blank" || event.detail > 1) return; // the second click of two edits
    before.current = selection.peek();
    active.value = index;
    box.current?.focus({ preventScroll: true });
    if (event.shiftKey) range(anchor.current, index);
    else {
      anchor.current = index;
      if (event.ctrlKey || event.metaKey) toggle(row.id);
      else select(selection.peek().length === 1 && selection.peek()[0] === row.id ? [] : [row.id]);
    }
  }, []);
  const onEdit = useCallback((/** @type {number} */ index, /** @type {string} */ column) => {
    if (column === "") {
      editing.value = { index: -1, column: "" };
      box.current?.focus({ preventScroll: true });
    } else if (EDITABLE.has(column) && mayChange.peek()) {
      select(before.current);
      editing.value = { index, column };
    }
  }, []);
  const onUnfold = useCallback((/** @type {string} */ id) => void unfold(id), []);

  tableKeys.move = (by, isRange) => {
    const next = Math.max(0, Math.min(total.peek() - 1, active.peek() + by));
    active.value = next;
    scrollTo(next);
    const row = rowAt(next);
    if (row.kind !== "blank") hover(row.id);
    if (isRange) range(next, next);
    else anchor.current = next;
  };
  tableKeys.toggle = () => {
    const row = rowAt(active.peek());
    if (active.peek() >= 0 && row.kind !== "blank") toggle(row.id);
  };
  tableKeys.unfold = (isOpen) => {
    const row = rowAt(active.peek());
    if (row.kind === "group" && row.isOpen !== isOpen) unfold(row.group.id);
  };
  tableKeys.edit = () => {
    const row = rowAt(active.peek());
    if (mayChange.peek() && (row.kind === "run" || row.kind === "child")) editing.value = { index: active.peek(), column: "name" };
  };
  tableKeys.focus = () => box.current?.focus();

  void version.value;
  // the n-th element shows row n, n + size, n + 2 size, …: scrolling changes texts and makes no elements
  const indexes = Array.from({ length: size }, (_, slot) => first + ((((slot - first) % size) + size) % size));
  return html`<div
    class=${`table ${isLoading.value ? "loading" : ""}`}
    role="grid"
    aria-label="Runs"
    aria-multiselectable="true"
    aria-rowcount=${rows + 1}
    aria-colcount=${all.length}
    aria-activedescendant=${active.value >= first && active.value <= last ? `row-${active.value}` : undefined}
    aria-busy=${isLoading.value}
    tabindex="0"
    ref=${box}
  >
    <${Head} pinned=${pinned} columns=${columns} gap=${gap} width=${fullWidth} />
    <div class="rows" role="rowgroup" style=${{ height: `${rows * ROW}px`, width: `${fullWidth}px` }}>
      ${indexes.map((index, slot) => {
        const row = rowAt(index);
        return html`<${RunRow}
          key=${slot}
          ...${row}
          index=${index}
          pinned=${pinned}
          columns=${columns}
          gap=${gap}
          editing=${editing.value.index === index ? editing.value.column : ""}
          isActive=${active.value === index}
          best=${best}
          onPick=${onPick}
          onUnfold=${onUnfold}
          onEdit=${onEdit}
        />`;
      })}
    </div>
    ${rows === 0 && !isLoading.value && html`<div class="table-empty"><${Nothing} /></div>`}
  </div>`;
}

function Nothing() {
  if (failure.value) return html`<${Failed} error=${failure.value} />`;
  if (query.value) {
    return html`<${Empty} title="No run matches the filter"><p>Take a condition out, or <button class="link" onClick=${() => (query.value = "")}>show all runs</button>.</p></${Empty}>`;
  }
  return html`<${Empty} title="No runs yet" commands=${["python run.py train", "python run.py train 'optim.lr=[0.1,0.01]' 'seed=[0,1,2]' --queue"]}>
    <p>Start a training in the project's folder. It appears here while it runs.</p>
  </${Empty}>`;
}

/** @param {{pinned: Column[], columns: Column[], gap: number, width: number}} props */
function Head({ pinned, columns, gap, width }) {
  let left = 0;
  return html`<div class="head" role="row" aria-rowindex="1" style=${{ width: `${width}px` }}>
    ${pinned.map((column) => {
      const at = left;
      left += column.width;
      return html`<${HeadCell} key=${column.id} column=${column} left=${at} />`;
    })}
    <div class="gap" style=${{ width: `${gap}px` }}></div>
    ${columns.map((column) => html`<${HeadCell} key=${column.id} column=${column} />`)}
  </div>`;
}

/** @param {{column: Column, left?: number}} props */
function HeadCell({ column, left }) {
  const isTarget = useSignal(false);
  const key = column.sortKey;
  const at = sort.value || "-created_at";
  const direction = key === null ? "" : at === key ? "up" : at === `-${key}` ? "down" : "";
  const onSort = () => {
    if (key === null) return;
    const isDownFirst = column.kind === "metric" ? column.statistic !== "min" : column.id === "created_at" || column.id === "duration_s";
    const [one, two] = isDownFirst ? [`-${key}`, key] : [key, `-${key}`];
    sort.value = at === one ? two : at === two ? "" : one;
  };
  const onResize = (/** @type {PointerEvent} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    const from = event.clientX;
    const old = column.width;
    const move = (/** @type {PointerEvent} */ moved) => resizeColumn(column.id, Math.max(40, Math.min(800, old + moved.clientX - from)));
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
  };
  return html`<div
    class=${`head-cell ${column.isNumber ? "num" : ""} ${left === undefined ? "" : "pinned"} ${direction} ${isTarget.value ? "target" : ""}`}
    role="columnheader"
    aria-sort=${direction === "up" ? "ascending" : direction === "down" ? "descending" : "none"}
    style=${{ width: `${column.width}px`, ...(left === undefined ? {} : { left: `${left}px` }) }}
    draggable="true"
    onDragStart=${(/** @type {DragEvent} */ event) => event.dataTransfer?.setData("text/column", column.id)}
    onDragOver=${(/** @type {DragEvent} */ event) => {
      if (!event.dataTransfer?.types.includes("text/column")) return;
      event.preventDefault();
      isTarget.value = true;
    }}
    onDragLeave=${() => (isTarget.value = false)}
    onDrop=${(/** @type {DragEvent} */ event) => {
      event.preventDefault();
      isTarget.value = false;
      moveColumn(event.dataTransfer?.getData("text/column") ?? "", column.id);
    }}
  >
    <button class="head-button" disabled=${key === null} onClick=${onSort} title=${column.hint ?? column.title}>
      <span class="head-title">${column.title}</span>${column.note && html`<span class="head-stat">${column.note}</span>`}
    </button>
    <span class="grip" onPointerDown=${onResize} draggable="true" onDragStart=${(/** @type {Event} */ event) => event.preventDefault()} aria-hidden="true"></span>
  </div>`;
}

/** @param {readonly Column[]} columns */
const sum = (columns) => columns.reduce((width, each) => width + each.width, 0);

/** @param {readonly Column[]} columns @param {number} left @param {number} width */
function onScreen(columns, left, width) {
  let x = 0;
  let gap = 0;
  const found = [];
  for (const column of columns) {
    if (x + column.width <= left - 100) gap += column.width;
    else if (x < left + Math.max(width, 0) + 100) found.push(column);
    else break;
    x += column.width;
  }
  return { columns: found, gap };
}
