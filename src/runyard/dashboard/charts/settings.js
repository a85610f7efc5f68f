/** How all charts of the page are drawn: kept in the URL, so that a pasted link draws the same. */
import { computed, signal } from "@preact/signals";

import { param, project, setParam } from "../state.js";

/** The x axis. @type {import("@preact/signals").ReadonlySignal<import("./store.js").XKind>} */
export const xKind = computed(() => {
  const text = param("x");
  if (text.startsWith("metric:") && text.length > 7) return /** @type {`metric:${string}`} */ (text);
  return text === "relative" || text === "time" ? text : "step";
});
export const isLogX = computed(() => param("log").includes("x") && xKind.value !== "time");
export const isLogY = computed(() => param("log").includes("y"));

/** A slider under the finger: it goes to the URL when it is let go. @type {import("@preact/signals").Signal<number | null>} */
export const sliding = signal(/** @type {number | null} */ (null));
/** The weight of the past, 0 to 0.99. */
export const smoothing = computed(() => sliding.value ?? Math.min(Math.max(Number(param("smooth")) || 0, 0), 0.99));

/** What a group is drawn as. @type {import("@preact/signals").ReadonlySignal<"std" | "range" | "each">} */
export const groupsAs = computed(() => {
  const text = param("band");
  return text === "range" || text === "each" ? text : "std";
});

/** Which metrics to show: a regular expression. */
export const pattern = computed(() => param("re"));

/** @param {"x" | "y"} axis */
export function toggleLog(axis) {
  const old = param("log");
  setParam("log", old.includes(axis) ? old.replace(axis, "") : old + axis);
}

const storageKey = () => `runyard-pinned:${project.value}`;
const version = signal(0);

/** Metrics on top: those of the URL, else those that were pinned in this project before. @type {import("@preact/signals").ReadonlySignal<string[]>} */
export const pinned = computed(() => {
  version.value;
  const text = param("pin") || localStorage.getItem(storageKey()) || "[]";
  try {
    const keys = JSON.parse(text);
    return Array.isArray(keys) ? keys.map(String) : [];
  } catch {
    return []; // somebody edited the URL by hand
  }
});

/** @param {string} key */
export function togglePin(key) {
  const old = pinned.peek();
  const next = JSON.stringify(old.includes(key) ? old.filter((each) => each !== key) : [...old, key]);
  localStorage.setItem(storageKey(), next);
  setParam("pin", next === "[]" ? "" : next);
  version.value += 1;
}
