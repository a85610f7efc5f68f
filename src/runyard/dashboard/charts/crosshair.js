/** The x under the pointer, in whatever chart it is: all charts of the same axis draw it. */
import { signal } from "@preact/signals";

import { hover } from "../state.js";

/** @type {import("@preact/signals").Signal<number | null>} */
export const crosshair = signal(/** @type {number | null} */ (null));

/**
 * Tells the whole page what is under the pointer.
 * @param {string | null} id of a run or group
 * @param {number | null} x
 * @param {import("./store.js").XKind} axis
 */
export function pointAt(id, x, axis) {
  crosshair.value = x;
  hover(id, x !== null && axis === "step" ? Math.round(x) : null);
}
