import { useEffect, useRef } from "preact/hooks";

import { html } from "../html.js";

/**
 * The room of what does not exist yet, since there may be thousands of it: a person who comes near it gets it.
 * @param {object} props
 * @param {number} props.height of all of it, roughly, in pixels
 * @param {string} props.within how near, as of `rootMargin`
 * @param {() => void} props.onNear
 * @param {number} [props.count] of what exists: when it changes, somebody may still be near
 */
export function Room({ height, within, onNear, count }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (place.current);
    const observer = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && onNear(), { root: element.closest(".panel-charts"), rootMargin: within });
    observer.observe(element);
    return () => observer.disconnect();
  }, [count]);
  return html`<div ref=${place} style=${{ height: `${height}px` }}></div>`;
}
