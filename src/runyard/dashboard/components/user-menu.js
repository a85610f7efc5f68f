import { complain } from "../actions.js";
import { html } from "../html.js";
import { isAdmin, logOut, session } from "../session.js";
import { Popover } from "./popover.js";

/** Who is logged in, the pages around that, and the way out; nothing where there are no accounts. */
export function UserMenu() {
  const who = session.value;
  if (!who?.has_accounts || who.user === null) return null;
  return html`<${Popover} label=${who.user} title=${`Logged in as ${who.user}, ${who.role}`} menuClass="user-menu">
    ${(/** @type {() => void} */ close) => html`
      <div class="menu-head">${who.user}, ${who.role}</div>
      <a class="menu-item" href="#/account" onClick=${close}>Tokens and password</a>
      ${isAdmin.value && html`<a class="menu-item" href="#/admin" onClick=${close}>Accounts of the team</a>`}
      <button class="menu-item" onClick=${() => logOut().catch(complain)}>Log out</button>
    `}
  </${Popover}>`;
}
