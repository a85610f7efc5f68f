import { html } from "../html.js";
import { project, projects } from "../state.js";

/**
 * To one run, or to the runs of a query, on their project's page.
 * @param {{run?: string, query?: string, in?: string, children: any}} props
 */
export function RunLink({ run, query, in: where, children }) {
  const name = where ?? (project.value || projects.value?.[0]?.name) ?? "";
  const search = new URLSearchParams();
  if (query) search.set("q", query);
  else if (run) search.set("q", `id == "${run}"`);
  if (run) search.set("sel", `${run}~0`);
  return html`<a class="run-link" href=${`#/p/${encodeURIComponent(name)}?${search}`}>${children}</a>`;
}
