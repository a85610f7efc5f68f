import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import * as api from "../api.js";
import { vocabulary, wantAllNames } from "../columns.js";
import { complete, tokens } from "../completion.js";
import { html } from "../html.js";
import { project, query } from "../state.js";

const PAUSE_MS = 450;
const PLACEHOLDER = 'filter: config.lr < 0.01 and state == "COMPLETED"';

/** The filter in the query language: colours, completion, and what is wrong under the word that is wrong. */
export function Filter() {
  const draft = useSignal(query.value);
  const caret = useSignal(0);
  const isFocused = useSignal(false);
  const isOpen = useSignal(false);
  const picked = useSignal(0);
  const scroll = useSignal(0);
  const problem = useSignal(/** @type {api.ApiError | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const timer = useRef(0);
  const refused = useRef({ text: /** @type {string | null} */ (null) });

  useEffect(() => {
    if (query.value === draft.peek().trim()) return;
    draft.value = query.value;
    problem.value = null;
  }, [query.value]);

  const check = async () => {
    clearTimeout(timer.current);
    const text = draft.peek().trim();
    if (text === refused.current.text || (text === query.peek() && problem.peek() === null)) return;
    try {
      if (text) await api.runs({ project: project.peek(), query: text, count: false, limit: 1, metrics: ["-"], config: ["-"] });
      if (text !== draft.peek().trim()) return;
      problem.value = null;
      query.value = text;
    } catch (error) {
      if (text === draft.peek().trim() && error instanceof api.ApiError) {
        problem.value = error;
        refused.current.text = error.status === 422 ? text : null;
      }
    }
  };
  // in the middle of a word the filter would match nothing; Enter and leaving the field take it as it is
  const checkIfDone = () => {
    const word = complete(draft.peek(), caret.peek(), vocabulary.peek());
    if (word.found.length === 0 || /[\s)]$/.test(draft.peek())) check();
  };
  const { from, found } = isFocused.value && isOpen.value ? complete(draft.value, caret.value, vocabulary.value) : { from: 0, found: [] };

  const onInput = (/** @type {any} */ event) => {
    draft.value = event.target.value;
    caret.value = event.target.selectionStart;
    picked.value = 0;
    isOpen.value = true;
    problem.value = null;
    refused.current.text = null;
    clearTimeout(timer.current);
    timer.current = setTimeout(checkIfDone, PAUSE_MS);
  };
  const take = (/** @type {number} */ i) => {
    const { text } = found[i];
    const at = from + text.length;
    draft.value = draft.value.slice(0, from) + text + draft.value.slice(caret.value);
    caret.value = at;
    picked.value = 0;
    const input = /** @type {HTMLInputElement} */ (field.current);
    input.value = draft.value;
    input.focus();
    input.setSelectionRange(at, at);
    clearTimeout(timer.current);
    timer.current = setTimeout(checkIfDone, PAUSE_MS);
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.key === "ArrowDown" && found.length) picked.value = (picked.value + 1) % found.length;
    else if (event.key === "ArrowUp" && found.length) picked.value = (picked.value + found.length - 1) % found.length;
    else if (event.key === "Tab" && found.length && !event.shiftKey) take(picked.value);
    else if (event.key === "Enter") {
      isOpen.value = false;
      check();
      return;
    } else if (event.key === "Escape") {
      if (found.length) isOpen.value = false;
      else field.current?.blur();
      return;
    } else return;
    event.preventDefault();
  };
  const follow = () => {
    const input = field.current;
    if (!input) return;
    scroll.value = input.scrollLeft;
    caret.value = input.selectionStart ?? 0;
  };
  const wrong = problem.value;
  return html`<div class=${`filter ${isFocused.value ? "focus" : ""} ${wrong ? "wrong" : ""}`} role="search">
    <div class="filter-text">
      <div class="filter-ink" aria-hidden="true" style=${{ transform: `translateX(${-scroll.value}px)` }}>
        ${tokens(draft.value).map(([text, kind]) => html`<span class=${kind && `is-${kind}`}>${text}</span>`)}
        ${wrong?.position !== undefined && html`<i class="squiggle" style=${{ left: `${wrong.position}ch`, width: `${Math.max(1, wrong.length ?? 1)}ch` }}></i>`}
      </div>
      <input
        id="filter"
        ref=${field}
        aria-label="Filter the runs"
        aria-invalid=${wrong !== null}
        aria-describedby="filter-problem"
        aria-autocomplete="list"
        aria-expanded=${found.length > 0}
        role="combobox"
        aria-controls="filter-menu"
        placeholder=${PLACEHOLDER}
        spellcheck=${false}
        autocomplete="off"
        value=${draft.value}
        onInput=${onInput}
        onKeyDown=${onKey}
        onKeyUp=${follow}
        onClick=${follow}
        onScroll=${follow}
        onFocus=${() => {
          isFocused.value = true;
          isOpen.value = draft.peek() === "";
          wantAllNames();
        }}
        onBlur=${() => {
          isFocused.value = false;
          check();
        }}
      />
    </div>
    ${draft.value
      ? html`<button
          class="filter-clear"
          aria-label="Clear the filter"
          onClick=${() => {
            draft.value = "";
            problem.value = null;
            query.value = "";
            field.current?.focus();
          }}
        >
          ×
        </button>`
      : html`<kbd class="key" aria-hidden="true">/</kbd>`}
    ${found.length > 0 &&
    html`<div class="menu filter-menu" id="filter-menu" role="listbox" style=${{ left: `calc(${Math.min(from, 48)}ch + var(--s2) - ${Math.min(scroll.value, 200)}px)` }}>
      ${found.map(
        (each, i) => html`<button
          key=${each.label}
          class="menu-item"
          role="option"
          tabindex="-1"
          aria-selected=${i === picked.value}
          onPointerDown=${(/** @type {Event} */ event) => event.preventDefault()}
          onClick=${() => take(i)}
        >
          <code class="grow">${each.label}</code><span class="faint">${each.hint}</span>
        </button>`,
      )}
      <div class="menu-foot faint"><kbd>Tab</kbd> takes, <kbd>Enter</kbd> filters</div>
    </div>`}
    <div class="filter-problem" id="filter-problem" role="alert">${wrong && !found.length ? wrong.message : ""}</div>
  </div>`;
}
