import { useEffect } from "preact/hooks";
import { BulkBar } from "../components/bulk-bar.js";
import { Empty } from "../components/empty.js";
import { RunTable } from "../components/run-table.js";
import { Splitter } from "../components/splitter.js";
import { TableTools } from "../components/table-tools.js";
import { Tabs } from "../components/tabs.js";
import { html } from "../html.js";
import { rowAt, total, version } from "../rows.js";
import { project, projectInfo, projects, select, selection, split, startedWithSelection } from "../state.js";

/** Projects whose first rows were selected already, or whose link said what is selected. @type {Set<string>} */
const greeted = new Set();
const FIRST = 3;
const MOST_NAMED = 12;

/** The table at the left, what is selected at the right. */
export function ProjectPage() {
  useEffect(() => {
    const name = project.value;
    if (!name || greeted.has(name) || total.value === 0) return;
    const rows = Array.from({ length: Math.min(total.value, 20) }, (_, i) => rowAt(i));
    if (rows.some((row) => row.kind === "run" && row.run.project !== name)) return;
    const isFromLink = startedWithSelection && greeted.size === 0;
    greeted.add(name);
    if (isFromLink || selection.peek().length) return;
    const drawn = rows.filter((row) => row.kind === "group" || (row.kind === "run" && row.run.state !== "QUEUED" && row.run.state !== "HELD"));
    select(drawn.slice(0, FIRST).map((row) => row.id));
  }, [project.value, total.value, version.value]);
  if (projects.value?.length === 0) return html`<${Welcome} />`;
  if (project.value && !projectInfo.value) return html`<${Unknown} />`;
  const isWide = split.value >= 1;
  return html`<main class=${`main ${isWide ? "wide" : ""}`} style=${{ "--split": `${(Math.min(split.value, 1) * 100).toFixed(2)}%` }}>
    <section class="runs" aria-label="Runs">
      <${TableTools} />
      <${RunTable} />
      <${BulkBar} />
    </section>
    <${Splitter} />
    ${!isWide && html`<${Tabs} />`}
  </main>`;
}

/** Where a link leads to a project that has no runs, or no more. */
function Unknown() {
  return html`<main class="page welcome">
    <${Empty} title=${`There is no project “${project.value.slice(0, 80)}” here`}>
      <p>None of its runs is here, or all of them are in the trash, where the <a class="link" href="#/disk">disk page</a> has them. These are here:</p>
      <p class="choices">${(projects.value ?? []).slice(0, MOST_NAMED).map((each) => html`<a key=${each.name} class="chip" href=${`#/p/${encodeURIComponent(each.name)}`}>${each.name}</a>`)}</p>
    </${Empty}>
  </main>`;
}

function Welcome() {
  return html`<main class="page welcome">
    <${Empty} title="This is where your runs will be" commands=${["runyard new my-project", "cd my-project", "pip install -r requirements.txt", "python run.py train", "python run.py train 'optim.lr=[0.1,0.01]' 'seed=[0,1,2]' --queue", "python run.py work"]}>
      <p>Make a project and train once. The run appears on this page while it goes on: its curves, its output, its settings. The last two lines queue a grid and work through it.</p>
    </${Empty}>
  </main>`;
}
