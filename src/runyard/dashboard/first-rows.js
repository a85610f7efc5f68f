/**
 * The first rows, asked for as soon as the columns are known and not only when the whole page has arrived, and the
 * metrics of the runs that the address selects. Table and charts then ask the same and take these answers.
 */
import { columnsAddress, metricsAddress, runsAddress, url } from "./address.js";
import { placeOf } from "./place.js";
import { defaultColumns, keysOf, newestOf, offeredOf, pageAsked, sortedBy } from "./question.js";

/** @import {Columns, Project} from "./types.js" */

/** @param {string} address @returns {Promise<any>} what `early.js` has asked for, left there; undefined: nothing came */
const peek = (address) => window.early.get(address) ?? Promise.resolve(undefined);

/** @param {string} address @returns {Promise<any>} */
function ask(address) {
  const found = fetch(address).then(
    (response) => (response.ok ? response.json() : undefined),
    () => undefined,
  );
  window.early.set(address, found);
  return found;
}

async function askFirstRows() {
  const place = placeOf(location.hash);
  const view = place.view ?? { project: "", query: "", sort: "", groupBy: "", columns: null, tab: "", selection: [] };
  if (place.page !== "project" || place.run || view.groupBy) return;
  await peek(url("/session")); // then early.js has asked for the rest, if somebody is here
  const projects = /** @type {Project[] | undefined} */ ((await peek(url("/projects")))?.projects);
  if (!projects?.length) return;
  const project = projects.find((each) => each.name === (view.project || newestOf(projects)));
  if (!project) return;
  const columnsAsked = columnsAddress(project.name);
  const all = /** @type {Columns | undefined} */ (await (view.project ? peek(columnsAsked) : ask(columnsAsked)));
  const filtered = view.query ? await peek(columnsAddress(project.name, view.query)) : null;
  if (!all) return;
  const columns = view.columns ?? defaultColumns(offeredOf(all, filtered), project);
  const question = { project: project.name, query: view.query, sort: sortedBy(view.sort), metrics: keysOf(columns, "metric"), config: keysOf(columns, "config") };
  await ask(runsAddress(pageAsked(question, 0)));
  if (view.tab === "charts" && view.selection.length && !view.selection.some((id) => id.startsWith("g:"))) ask(metricsAddress(view.selection));
}

askFirstRows();
