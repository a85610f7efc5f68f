import { useSignal } from "@preact/signals";
import { Field } from "../components/field.js";
import { html } from "../html.js";
import { logIn } from "../session.js";

/** Asks for name and password. */
export function LoginPage() {
  const name = useSignal("");
  const password = useSignal("");
  const trouble = useSignal("");
  const isBusy = useSignal(false);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    isBusy.value = true;
    trouble.value = "";
    try {
      await logIn(name.value, password.value);
    } catch (error) {
      trouble.value = /** @type {Error} */ (error).message;
      password.value = "";
    }
    isBusy.value = false;
  };
  return html`<main class="gate" aria-label="Log in">
    <form class="card-block" onSubmit=${submit}>
      <h1>Runyard</h1>
      <${Field} label="Name" value=${name} complete="username" isFirst />
      <${Field} label="Password" value=${password} type="password" complete="current-password" />
      ${trouble.value && html`<p class="bad" role="alert">${trouble.value}</p>`}
      <button class="button primary" disabled=${isBusy.value}>Log in</button>
      <p class="faint note">Forgotten? An admin makes a link for a new password.</p>
    </form>
  </main>`;
}
