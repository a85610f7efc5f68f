import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";

/**
 * The input that takes a text's place while it is edited: Enter keeps, Escape leaves it as it was.
 * @param {{value: string, label: string, placeholder?: string, onDone: (text: string | null) => void}} props
 */
export function Editor({ value, label, placeholder, onDone }) {
  const text = useSignal(value);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isDone = useRef(false);
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const finish = (/** @type {string | null} */ result) => {
    if (isDone.current) return;
    isDone.current = true;
    onDone(result === value ? null : result);
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.key === "Enter") finish(text.value);
    if (event.key === "Escape") finish(null);
  };
  return html`<input
    class="input editor"
    ref=${field}
    aria-label=${label}
    placeholder=${placeholder}
    value=${text.value}
    onInput=${(/** @type {any} */ event) => (text.value = event.target.value)}
    onKeyDown=${onKey}
    onBlur=${() => finish(text.value)}
    onClick=${(/** @type {Event} */ event) => event.stopPropagation()}
    onDblClick=${(/** @type {Event} */ event) => event.stopPropagation()}
  />`;
}
