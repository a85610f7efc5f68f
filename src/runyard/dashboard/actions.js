/** What a person does to runs: asks the server, says what came of it, and offers to undo what can be undone. */
import { signal } from "@preact/signals";
import * as api from "./api.js";
import { count, plural } from "./format.js";
import { patch, reload, selectAll, total } from "./rows.js";
import { LOOKING, mayChange } from "./session.js";
import { items, select } from "./state.js";

/** @import {Toast} from "./types.js" */

/** @type {import("@preact/signals").Signal<readonly Toast[]>} */
export const toasts = signal(/** @type {readonly Toast[]} */ ([]));
let next = 1;

/** @param {string} text @param {{kind?: "done" | "bad", undo?: () => void, stay?: number}} [how] */
export function say(text, { kind = "done", undo, stay = undo ? 10_000 : kind === "bad" ? 8000 : 3500 } = {}) {
  const id = next++;
  toasts.value = [...toasts.value.slice(-2), { id, text, kind, undo }];
  setTimeout(() => dismiss(id), stay);
}

/** @param {number} id */
export const dismiss = (id) => (toasts.value = toasts.value.filter((each) => each.id !== id));

/** @param {unknown} error */
export const complain = (error) => say(/** @type {Error} */ (error).message, { kind: "bad" });

export const MOST_SELECTED = 1000; // as many curves as a chart draws, and as a link can hold

/** Selects all rows of the filter. */
export async function takeAll() {
  try {
    const n = await selectAll(MOST_SELECTED);
    if (n < total.peek()) say(`The first ${count(n)} of ${count(total.peek())} are selected. A filter reaches the others.`);
  } catch (error) {
    complain(error);
  }
}

/** @type {Record<string, string>} what was done, for the toast */
const DONE = {
  stop: "asked to stop",
  retry: "back in the queue",
  hold: "held back",
  release: "released",
  trash: "moved to the trash",
  restore: "restored",
  restore_checkpoints: "given back their checkpoints",
  priority: "given a new priority",
  top: "moved to the top",
  bottom: "moved to the end",
  before: "moved",
};

/** Keys reach what has no button. */
function isRefused() {
  if (!mayChange.peek()) say(LOOKING, { kind: "bad" });
  return !mayChange.peek();
}

/**
 * @param {string} action
 * @param {readonly string[]} runs
 * @param {unknown} [value]
 * @param {{isQuiet?: boolean}} [how]
 */
export async function act(action, runs, value, { isQuiet = false } = {}) {
  if (runs.length === 0 || isRefused()) return;
  try {
    const { done, refused } = await api.act(action, runs, value);
    if (done.length && !isQuiet) {
      const undo = action === "trash" ? () => act("restore", done) : undefined;
      say(`${plural(done.length, "run")} ${DONE[action]}.`, { undo });
    }
    if (refused.length) {
      const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : "";
      say(`${plural(refused.length, "run")} left as ${refused.length === 1 ? "it is" : "they are"}: ${refused[0].why}${more}`, { kind: "bad" });
    }
    if (action === "trash" && done.length) {
      const gone = new Set(done);
      select(items.peek().filter((item) => !item.runIds.every((id) => gone.has(id))).map((item) => item.id));
    }
    reload(0);
  } catch (error) {
    complain(error);
  }
}

/** @param {string} id @param {Parameters<typeof api.change>[1]} change @returns {Promise<boolean>} */
export async function edit(id, change) {
  if (isRefused()) return false;
  try {
    patch(await api.change(id, change));
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** @param {readonly string[]} ids @param {string[]} add @param {string[]} remove */
export async function tagAll(ids, add, remove) {
  try {
    for (const id of ids) patch(await api.change(id, { add_tags: add, remove_tags: remove }));
    say(`${plural(ids.length, "run")} tagged.`);
  } catch (error) {
    complain(error);
  }
}
