import { useEffect, useRef } from "preact/hooks";

import { html } from "../html.js";

/**
 * The room of the sections that do not exist yet, since there may be thousands: a person who comes near it gets more.
 * @param {object} props
 * @param {number} props.height of all of them, roughly, in pixels
 * @param {number} props.count
 * @param {() => void} props.onNear
 */
export function RestOfSections({ height, count, onNear }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (place.current);
    const observer = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && onNear(), { root: element.closest(".panel-charts"), rootMargin: "900px" });
    observer.observe(element);
    return () => observer.disconnect();
  }, [count]);
  return html`<div ref=${place} style=${{ height: `${height}px` }}></div>`;
}
