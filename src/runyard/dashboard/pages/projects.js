import { RunLink } from "../components/run-link.js";
import { age, count, moment, NOTHING, plural, stateClass, stateWord } from "../format.js";
import { html } from "../html.js";
import { now, projects } from "../state.js";

/** @import {Project} from "../types.js" */

/** All projects: which template each has, its last run, how CI went. */
export function ProjectsPage() {
  const all = projects.value ?? [];
  const behind = all.filter((each) => (each.template?.behind ?? 0) > 0).length;
  return html`<main class="page" aria-label="Projects">
    <header class="page-head">
      <h1>Projects</h1>
      <p class="muted">${plural(all.length, "project")}${behind > 0 ? `, ${behind} behind their template` : ""}</p>
    </header>
    ${all.length === 0 && html`<p class="faint">There are no runs yet. <code>runyard new weld-seam</code> makes a project, <code>python run.py train</code> a run.</p>`}
    ${all.length > 0 &&
    html`<section class="card-block">
      <table class="plain-table">
        <thead>
          <tr><th>Project</th><th>Template</th><th>Last run</th><th class="value">Runs</th><th>CI</th></tr>
        </thead>
        <tbody>
          ${all.map((each) => html`<${Row} key=${each.name} project=${each} />`)}
        </tbody>
      </table>
      <p class="faint note">
        <code>runyard update</code> in a project takes over what is new in its template; <code>runyard projects --ci</code> asks GitLab
        how the pipelines went. The template of a project on another machine is not known here.
      </p>
    </section>`}
  </main>`;
}

/** @param {{project: Project}} props */
function Row({ project }) {
  const last = project.last_run;
  return html`<tr>
    <td><a class="run-link" href=${`#/p/${encodeURIComponent(project.name)}`}>${project.name}</a></td>
    <td><${Template} of=${project.template} /></td>
    <td>
      ${last && html`<span class=${`state ${stateClass(last.state)}`}>${stateWord(last.state)}</span> `}
      ${last ? html`<${RunLink} run=${last.id} in=${project.name}>${last.name}</${RunLink}> <small class="faint" title=${moment(project.last_at)}>${age(project.last_at, now.value)}</small>` : NOTHING}
    </td>
    <td class="value">${count(project.runs)}</td>
    <td>${project.ci ? html`${project.ci.state} <small class="faint">${age(project.ci.at, now.value)}</small>` : NOTHING}</td>
  </tr>`;
}

/** @param {{of: Project["template"]}} props */
function Template({ of: template }) {
  if (!template) return html`<span class="faint">${NOTHING}</span>`;
  if (!template.behind) return html`${template.version}`;
  return html`${template.version} <span class="badge" title=${`The newest is ${template.latest}`}>${template.behind} behind</span>`;
}
