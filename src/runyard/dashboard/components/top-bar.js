import { plural } from "../format.js";
import { html } from "../html.js";
import { isDark, isLive, openProject, page, project, projects, queue, theme } from "../state.js";
import { Filter } from "./filter.js";
import { helpIsOpen } from "./help.js";
import { Popover } from "./popover.js";
import { UserMenu } from "./user-menu.js";

/** Where one is, the filter, the other pages, and whether the page is live. */
export function TopBar() {
  const waiting = (queue.value?.counts.waiting ?? 0) + (queue.value?.counts.held ?? 0);
  return html`<header class="top">
    <a class="logo" href="#/p/${encodeURIComponent(project.value)}" aria-label="Runyard, to the runs"><i aria-hidden="true"></i><span>Runyard</span></a>
    <${ProjectSwitch} />
    ${page.value === "project" && project.value ? html`<${Filter} />` : html`<div class="filter-gap"></div>`}
    <nav class="nav" aria-label="Pages">
      <${NavLink} to="queue" label="Queue" badge=${waiting} />
      <${NavLink} to="morning" label="Morning" />
      <${NavLink} to="projects" label="Projects" />
      <${NavLink} to="disk" label="Disk" />
    </nav>
    <span class=${`live ${isLive.value ? "on" : ""}`} title=${isLive.value ? "Changes appear by themselves" : "No contact with the server; trying again every 2 s"} role="status">
      <span>${isLive.value ? "live" : "offline"}</span>
    </span>
    <${UserMenu} />
    <button class="quiet icon" aria-label="Keys" title="Keys (?)" onClick=${() => (helpIsOpen.value = true)}>?</button>
    <button
      class="quiet icon"
      aria-label=${isDark.value ? "Light theme" : "Dark theme"}
      title=${isDark.value ? "Light" : "Dark"}
      onClick=${() => (theme.value = isDark.value ? "light" : "dark")}
    >
      <i class=${isDark.value ? "sun" : "moon"} aria-hidden="true"></i>
    </button>
  </header>`;
}

/** @param {{to: string, label: string, badge?: number}} props */
function NavLink({ to, label, badge = 0 }) {
  return html`<a href=${`#/${to}`} class=${page.value === to ? "on" : ""} aria-current=${page.value === to ? "page" : undefined}>${label}${badge > 0 && html`<span class="badge">${badge}</span>`}</a>`;
}

function ProjectSwitch() {
  const all = projects.value ?? [];
  if (all.length === 0) return null;
  return html`<${Popover} className="project-switch" label=${html`<b>${project.value || "project"}</b><i class="caret" aria-hidden="true"></i>`} title="Other projects" menuClass="projects">
    ${(/** @type {() => void} */ close) =>
      all.map(
        (each) => html`<button
          key=${each.name}
          class=${`menu-item ${each.name === project.value ? "on" : ""}`}
          onClick=${() => {
            openProject(each.name);
            close();
          }}
        >
          <span class="grow">${each.name}</span>
          ${each.running > 0 && html`<span class="running">${each.running} running</span>`}
          <span class="faint">${plural(each.runs, "run")}</span>
        </button>`,
      )}
  </${Popover}>`;
}
