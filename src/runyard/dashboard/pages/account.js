import { useSignal } from "@preact/signals";
import { complain, say } from "../actions.js";
import * as api from "../api.js";
import { Failed } from "../components/failed.js";
import { Field } from "../components/field.js";
import { Secret } from "../components/secret.js";
import { TokenList } from "../components/token-list.js";
import { useAnswer } from "../components/use-answer.js";
import { html } from "../html.js";
import { session } from "../session.js";

/** One's own tokens and password. */
export function AccountPage() {
  const { answer, error, again } = useAnswer(() => api.tokens(), [], 30_000);
  if (error && !answer) return html`<main class="page"><${Failed} error=${error} onAgain=${again} /></main>`;
  return html`<main class="page" aria-label="Tokens and password">
    <header class="page-head">
      <h1>${session.value?.user}</h1>
      <p class="muted">${session.value?.role}</p>
    </header>
    <section class="card-block">
      <h2>Tokens of your machines</h2>
      <${NewToken} onMade=${again} />
      <${TokenList} tokens=${answer ?? []} onChange=${again} />
      <p class="faint note">A machine joins with <code>runyard login ${location.origin}</code>, which makes its token by itself.</p>
    </section>
    <${NewPassword} />
  </main>`;
}

/** @param {{onMade: () => void}} props */
function NewToken({ onMade }) {
  const label = useSignal("");
  const role = useSignal("");
  const days = useSignal("");
  const made = useSignal("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const found = await api.makeToken({ label: label.value, ...(role.value && { role: role.value }), ...(days.value && { days: Number(days.value) }) });
      made.value = found.token;
      label.value = "";
      onMade();
    } catch (error) {
      complain(error);
    }
  };
  return html`<form class="line-form" onSubmit=${submit}>
      <input class="input grow" required placeholder="what it is for, such as ws3 or CI" aria-label="What the token is for" value=${label.value} onInput=${(/** @type {any} */ event) => (label.value = event.target.value)} />
      <select class="input" aria-label="Role" onChange=${(/** @type {any} */ event) => (role.value = event.target.value)}>
        <option value="">may all that you may</option>
        <option value="viewer">may only look</option>
      </select>
      <select class="input" aria-label="How long it is good" onChange=${(/** @type {any} */ event) => (days.value = event.target.value)}>
        <option value="">for ever</option>
        <option value="30">for 30 days</option>
        <option value="365">for a year</option>
      </select>
      <button class="button primary">Make a token</button>
    </form>
    ${made.value && html`<${Secret} title="The token, for RUNYARD_TOKEN of the machine." text=${made.value} onClose=${() => (made.value = "")} />`}`;
}

function NewPassword() {
  const old = useSignal("");
  const next = useSignal("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await api.changePassword(old.value, next.value);
      old.value = next.value = "";
      say("The password is changed. Other browsers have to log in again.");
    } catch (error) {
      complain(error);
    }
  };
  return html`<section class="card-block">
    <h2>Another password</h2>
    <form class="narrow-form" onSubmit=${submit}>
      <${Field} label="The old one" value=${old} type="password" complete="current-password" />
      <${Field} label="The new one" value=${next} type="password" complete="new-password" hint="At least 10 characters." />
      <button class="button">Change the password</button>
    </form>
  </section>`;
}
