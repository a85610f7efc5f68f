import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";

/**
 * A button that opens a menu under it; closes on Escape, on a click elsewhere, and when `children` calls `close`.
 * @param {{label: any, title?: string, className?: string, menuClass?: string, children: (close: () => void) => any}} props
 */
export function Popover({ label, title, className = "chip", menuClass = "", children }) {
  const isOpen = useSignal(false);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const close = () => (isOpen.value = false);
  useEffect(() => {
    if (!isOpen.value) return;
    const onDown = (/** @type {Event} */ event) => {
      if (!box.current?.contains(/** @type {Node} */ (event.target))) close();
    };
    document.addEventListener("pointerdown", onDown);
    return () => document.removeEventListener("pointerdown", onDown);
  }, [isOpen.value]);
  useLayoutEffect(() => {
    const menu = /** @type {HTMLElement | null} */ (box.current?.querySelector(".menu"));
    if (!menu) return;
    const { right, left } = menu.getBoundingClientRect();
    const over = right - (document.documentElement.clientWidth - 8);
    if (over > 0) menu.style.left = `${-Math.min(over, left - 8)}px`;
    /** @type {HTMLElement | null} */ (menu.querySelector("input"))?.focus();
  }, [isOpen.value]);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !isOpen.value) return;
    event.stopPropagation();
    close();
    box.current?.querySelector("button")?.focus();
  };
  return html`<span class="popover" ref=${box} onKeyDown=${onKey}>
    <button class=${className} title=${title} aria-haspopup="true" aria-expanded=${isOpen.value} onClick=${() => (isOpen.value = !isOpen.value)}>${label}</button>
    ${isOpen.value && html`<div class=${`menu ${menuClass}`}>${children(close)}</div>`}
  </span>`;
}
