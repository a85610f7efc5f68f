/** What the panels draw: the selected runs and groups, or the first ten of the table while nothing is selected. */
import { computed, effect, signal } from "@preact/signals";

import * as api from "../api.js";
import { assigned, colourIndex, COUNT } from "../colours.js";
import { isLoading, version } from "../rows.js";
import { changed, groupBy, items, project, query, remember, sort } from "../state.js";
import { dressed } from "./theme.js";

/** @import {Item} from "../types.js" */

/**
 * @typedef {object} Shown
 * @property {string} id
 * @property {string} label
 * @property {readonly string[]} runIds
 * @property {boolean} isGroup
 * @property {number} colour 0 to 6
 * @property {boolean} isDashed another one has the same colour
 * @property {string | undefined} state
 */

const FIRST = 10;
const PAUSE_MS = 100; // a page that opens selects rows by itself a moment later
const NO_KEY = ["-"]; // an absent list would mean all keys, and a run may have 12,000

const isTableThere = computed(() => version.value > 0 && !isLoading.value);
const firstOnes = signal(/** @type {readonly Item[]} */ ([]));
/** Whether `shown` stands for the top of the table. */
export const isFallback = computed(() => items.value.length === 0);

let asked = "";
effect(() => {
  const parts = [project.value, query.value, sort.value, groupBy.value];
  if (!isFallback.value || !project.value || !isTableThere.value) return;
  // A project without runs is asked again when anything changes.
  if (!firstOnes.peek().length) changed.value;
  asked = parts.join("\n");
  const timer = setTimeout(askFirst, PAUSE_MS, asked, parts);
  return () => clearTimeout(timer);
});

/** @param {string} mine @param {string[]} parts */
function askFirst(mine, parts) {
  findFirst(parts[0], parts[1], parts[2], parts[3])
    .then((found) => {
      if (asked !== mine) return;
      remember(found.map((item) => [item.id, { label: item.label, runIds: item.runIds, state: item.state }]));
      firstOnes.value = found;
    })
    .catch(() => {
      if (asked === mine) firstOnes.value = []; // the table tells what is wrong with the filter
    });
}

/**
 * @param {string} project
 * @param {string} query
 * @param {string} sort
 * @param {string} groupBy
 * @returns {Promise<Item[]>}
 */
async function findFirst(project, query, sort, groupBy) {
  if (groupBy) {
    const { groups } = await api.groups({ project, query, by: groupBy, sort, limit: FIRST });
    return groups.map((group) => ({ id: `g:${group.id}`, label: group.label, runIds: group.run_ids, isGroup: true }));
  }
  const { runs } = await api.runs({ project, query, sort, limit: FIRST, metrics: NO_KEY, config: NO_KEY });
  return runs.map((run) => ({ id: run.id, label: run.name, runIds: [run.id], isGroup: false, state: run.state }));
}

/** @type {import("@preact/signals").ReadonlySignal<Shown[]>} */
export const shown = computed(() => {
  assigned.value;
  const uses = new Array(COUNT).fill(0);
  const source = isFallback.value ? firstOnes.value : items.value;
  return source.map((item, i) => {
    const colour = isFallback.value ? i % COUNT : colourIndex(item.id);
    uses[colour] += 1;
    return { id: item.id, label: item.label, runIds: item.runIds, isGroup: item.isGroup, colour, isDashed: uses[colour] % 2 === 0, state: item.state };
  });
});

/** All runs behind what is shown, each once. */
export const shownRuns = computed(() => [...new Set(shown.value.flatMap((item) => item.runIds))]);

/** The palette as a canvas takes it. @type {import("@preact/signals").ReadonlySignal<string[]>} */
export const palette = computed(() => {
  dressed.value;
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: COUNT }, (_, i) => style.getPropertyValue(`--c${i + 1}`).trim());
});
