import { html } from "../html.js";

/**
 * What went wrong, in the server's sentence, and what to do now.
 * @param {{error: Error, onAgain?: () => void}} props
 */
export function Failed({ error, onAgain }) {
  return html`<div class="failed-box" role="alert">
    <strong>That did not work.</strong>
    <p>${error.message}</p>
    ${onAgain && html`<button class="button" onClick=${onAgain}>Try again</button>`}
  </div>`;
}
