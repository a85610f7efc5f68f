import { useSignal } from "@preact/signals";
import { complain, say } from "../actions.js";
import * as api from "../api.js";
import { Failed } from "../components/failed.js";
import { Secret } from "../components/secret.js";
import { TokenList } from "../components/token-list.js";
import { useAnswer } from "../components/use-answer.js";
import { moment } from "../format.js";
import { html } from "../html.js";
import { session } from "../session.js";
import { projects } from "../state.js";

/** @import {User, PrivateProject} from "../types.js" */

const ROLES = ["viewer", "member", "admin"];
const link = (/** @type {string} */ key) => `${location.origin}/#/welcome/${key}`;

/** The accounts of the team: people, projects that not all may see, tokens, and who changed what. */
export function AdminPage() {
  const users = useAnswer(() => api.users(), [], 30_000);
  const closed = useAnswer(() => api.privateProjects(), [], 30_000);
  const tokens = useAnswer(() => api.tokens(true), [], 30_000);
  const trail = useAnswer(() => api.audit(), [], 5000);
  const trouble = users.error ?? closed.error;
  if (trouble) return html`<main class="page"><${Failed} error=${trouble} onAgain=${users.again} /></main>`;
  const refresh = () => [users, closed, tokens, trail].forEach((each) => each.again());
  return html`<main class="page" aria-label="Accounts of the team">
    <header class="page-head"><h1>Accounts of the team</h1></header>
    <${People} users=${users.answer ?? []} refresh=${refresh} />
    <${Private} closed=${closed.answer ?? []} users=${users.answer ?? []} refresh=${refresh} />
    <section class="card-block">
      <h2>Tokens of machines</h2>
      <${TokenList} tokens=${tokens.answer ?? []} withOwner onChange=${refresh} />
    </section>
    <section class="card-block">
      <h2>Who changed what</h2>
      <div class="list trail">
        ${(trail.answer ?? []).map(
          (each) => html`<div class="list-row" key=${each.id}>
            <span class="faint">${moment(each.at)}</span><b>${each.who}</b><span>${each.what}</span>
            <span class="what">${each.subject}<small>${each.detail}</small></span>
          </div>`,
        )}
      </div>
    </section>
  </main>`;
}

/** @param {{users: readonly User[], refresh: () => void}} props */
function People({ users, refresh }) {
  const name = useSignal("");
  const role = useSignal("member");
  const made = useSignal({ title: "", key: "" });
  const show = (/** @type {string} */ who, /** @type {string} */ key) => (made.value = { title: `Send this link to ${who}.`, key });
  const invite = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const found = await api.invite(name.value, role.value);
      show(found.name, found.link);
      name.value = "";
      refresh();
    } catch (error) {
      complain(error);
    }
  };
  return html`<section class="card-block">
    <h2>People</h2>
    <form class="line-form" onSubmit=${invite}>
      <input class="input grow" required placeholder="name of somebody new" aria-label="Name of somebody new" value=${name.value} onInput=${(/** @type {any} */ event) => (name.value = event.target.value)} />
      <select class="input" aria-label="Role of somebody new" value=${role.value} onChange=${(/** @type {any} */ event) => (role.value = event.target.value)}>
        ${ROLES.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
      </select>
      <button class="button primary">Invite</button>
    </form>
    ${made.value.key && html`<${Secret} title=${made.value.title} text=${link(made.value.key)} onClose=${() => (made.value = { title: "", key: "" })} />`}
    <div class="list">${users.map((user) => html`<${Person} key=${user.name} user=${user} refresh=${refresh} onLink=${show} />`)}</div>
  </section>`;
}

/** @param {{user: User, refresh: () => void, onLink: (name: string, key: string) => void}} props */
function Person({ user, refresh, onLink }) {
  const change = async (/** @type {{role?: string, is_disabled?: boolean}} */ what, /** @type {string} */ words) => {
    try {
      await api.changeUser(user.name, what);
      say(words);
    } catch (error) {
      complain(error);
    }
    refresh();
  };
  const newLink = () => api.newLink(user.name).then((found) => onLink(user.name, found.link), complain);
  const words = [user.has_password ? "" : "invited", user.is_disabled ? "shut out" : "", user.seen_at ? `last seen ${moment(user.seen_at)}` : ""];
  return html`<div class=${`list-row ${user.is_disabled ? "is-over" : ""}`}>
    <span class="what">${user.name}${user.name === session.value?.user ? " (you)" : ""}<small>${words.filter(Boolean).join(" · ")}</small></span>
    <select class="input" aria-label=${`Role of ${user.name}`} value=${user.role} onChange=${(/** @type {any} */ event) => change({ role: event.target.value }, `${user.name} is ${event.target.value} now.`)}>
      ${ROLES.map((each) => html`<option key=${each} value=${each} selected=${each === user.role}>${each}</option>`)}
    </select>
    <span class="do">
      <button class="quiet" onClick=${newLink}>${user.has_password ? "New password" : "New link"}</button>
      ${user.is_disabled
        ? html`<button class="quiet" onClick=${() => change({ is_disabled: false }, `${user.name} may log in again.`)}>Let in</button>`
        : html`<button class="quiet danger" aria-label=${`Shut out ${user.name}`} onClick=${() => change({ is_disabled: true }, `${user.name} is shut out.`)}>Shut out</button>`}
    </span>
  </div>`;
}

/** @param {{closed: readonly PrivateProject[], users: readonly User[], refresh: () => void}} props */
function Private({ closed, users, refresh }) {
  const chosen = useSignal("");
  const open = (projects.value ?? []).map((each) => each.name).filter((name) => !closed.some((each) => each.project === name));
  const set = async (/** @type {string} */ project, /** @type {readonly string[]} */ members) => {
    try {
      await api.setMembers(project, members);
    } catch (error) {
      complain(error);
    }
    refresh();
  };
  const makePrivate = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (chosen.value) set(chosen.value, []);
    chosen.value = "";
  };
  return html`<section class="card-block">
    <h2>Private projects <span class="faint">All others are open to all accounts. Admins see everything.</span></h2>
    <form class="line-form" onSubmit=${makePrivate}>
      <select class="input grow" required aria-label="Project" value=${chosen.value} onChange=${(/** @type {any} */ event) => (chosen.value = event.target.value)}>
        <option value="">choose a project …</option>
        ${open.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
      <button class="button">Make it private</button>
    </form>
    <div class="list">
      ${closed.map(
        (each) => html`<div class="list-row" key=${each.project}>
          <span class="what">${each.project}</span>
          <span class="members">
            ${users.map(
              (user) => html`<button
                key=${user.name}
                class=${`chip ${each.members.includes(user.name) ? "on" : ""}`}
                aria-pressed=${each.members.includes(user.name)}
                onClick=${() => set(each.project, each.members.includes(user.name) ? each.members.filter((name) => name !== user.name) : [...each.members, user.name])}
              >${user.name}</button>`,
            )}
          </span>
          <span class="do"><button class="quiet" onClick=${() => api.openProject(each.project).then(refresh, complain)}>Open to all</button></span>
        </div>`,
      )}
    </div>
  </section>`;
}
