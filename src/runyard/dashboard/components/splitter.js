import { html } from "../html.js";
import { split } from "../state.js";

/** The line between table and panels; double click gives the table all the width, and back. */
export function Splitter() {
  const put = (/** @type {number} */ x) => {
    const share = x / document.documentElement.clientWidth;
    split.value = share > 0.93 ? 1 : Math.max(0.18, share);
  };
  const onDown = (/** @type {PointerEvent} */ event) => {
    event.preventDefault();
    const move = (/** @type {PointerEvent} */ moved) => put(moved.clientX);
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const by = event.key === "ArrowLeft" ? -0.02 : event.key === "ArrowRight" ? 0.02 : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    split.value = Math.min(1, Math.max(0.18, split.value + by));
  };
  return html`<div
    class="splitter"
    role="separator"
    aria-orientation="vertical"
    aria-label="Width of the table"
    aria-valuenow=${Math.round(split.value * 100)}
    tabindex="0"
    onPointerDown=${onDown}
    onKeyDown=${onKey}
    onDblClick=${() => (split.value = split.value === 1 ? 0.42 : 1)}
  ></div>`;
}
