import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import * as api from "../api.js";
import { Field } from "../components/field.js";
import { html } from "../html.js";
import { followLink, welcomeKey } from "../session.js";

/** @import {Link} from "../types.js" */

/** What somebody sees who opened a link: choose a password, and be in. */
export function WelcomePage() {
  const link = useSignal(/** @type {Link | null} */ (null));
  const name = useSignal("");
  const password = useSignal("");
  const again = useSignal("");
  const trouble = useSignal("");
  useEffect(() => {
    api.lookAtLink(welcomeKey.value).then(
      (found) => (link.value = found),
      (error) => (trouble.value = error.message),
    );
  }, []);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (password.value !== again.value) {
      trouble.value = "The two passwords are not the same.";
      return;
    }
    try {
      await followLink(welcomeKey.value, password.value, link.value?.user === null ? name.value : undefined);
    } catch (error) {
      trouble.value = /** @type {Error} */ (error).message;
    }
  };
  const isFirst = link.value?.user === null;
  return html`<main class="gate" aria-label="Welcome">
    <form class="card-block" onSubmit=${submit}>
      <h1>${isFirst ? "The first admin" : link.value ? `Welcome, ${link.value.user}` : "Welcome"}</h1>
      ${link.value &&
      html`
        ${isFirst && html`<${Field} label="Name" value=${name} complete="username" hint="Small letters, as in mail addresses." isFirst />`}
        <${Field} label="Password" value=${password} type="password" complete="new-password" hint="At least 10 characters." />
        <${Field} label="The same password again" value=${again} type="password" complete="new-password" />
      `}
      ${trouble.value && html`<p class="bad" role="alert">${trouble.value}</p>`}
      ${link.value && html`<button class="button primary">Choose this password</button>`}
      ${!link.value && trouble.value && html`<button class="button" type="button" onClick=${() => (welcomeKey.value = "")}>To the login</button>`}
    </form>
  </main>`;
}
