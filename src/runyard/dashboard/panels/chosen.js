/** The one run that the panels about a single run show; kept over tabs and in the URL. */
import { computed } from "@preact/signals";

import { shownRuns } from "../charts/shown.js";
import { param, setParam } from "../state.js";

/** "" while there is none. */
export const chosen = computed(() => {
  const wished = param("run");
  return shownRuns.value.includes(wished) ? wished : (shownRuns.value[0] ?? "");
});

/** @param {string} id */
export const choose = (id) => setParam("run", id);
