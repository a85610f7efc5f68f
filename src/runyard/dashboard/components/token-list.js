import { useSignal } from "@preact/signals";
import { complain, say } from "../actions.js";
import * as api from "../api.js";
import { moment } from "../format.js";
import { html } from "../html.js";

/** @import {Token} from "../types.js" */

/**
 * Tokens with a button that revokes them.
 * @param {{tokens: readonly Token[], withOwner?: boolean, onChange: () => void}} props
 */
export function TokenList({ tokens, withOwner = false, onChange }) {
  if (tokens.length === 0) return html`<p class="faint">None yet.</p>`;
  return html`<div class="list">${tokens.map((token) => html`<${TokenRow} key=${token.id} token=${token} withOwner=${withOwner} onChange=${onChange} />`)}</div>`;
}

/** @param {{token: Token, withOwner: boolean, onChange: () => void}} props */
function TokenRow({ token, withOwner, onChange }) {
  const isSure = useSignal(false);
  const isOver = token.revoked_at !== null || (token.expires_at !== null && new Date(token.expires_at) < new Date());
  const revoke = async () => {
    if (!isSure.value) {
      isSure.value = true;
      setTimeout(() => (isSure.value = false), 5000);
      return;
    }
    try {
      await api.revokeToken(token.id);
      say(`The token “${token.label}” is revoked.`);
      onChange();
    } catch (error) {
      complain(error);
    }
  };
  const words = [
    ...(withOwner ? [token.user] : []),
    token.role,
    token.projects === null ? "all projects" : token.projects.join(", "),
    token.used_at === null ? "never used" : `last used ${moment(token.used_at)}`,
    ...(token.expires_at === null ? [] : [`until ${moment(token.expires_at)}`]),
  ];
  return html`<div class=${`list-row ${isOver ? "is-over" : ""}`}>
    <span class="what">${token.label}<small>${words.join(" · ")}</small></span>
    ${isOver
      ? html`<span class="faint">${token.revoked_at === null ? "expired" : "revoked"}</span>`
      : html`<span class="do"><button class="quiet danger" aria-label=${`Revoke ${token.label}`} onClick=${revoke}>${isSure.value ? "Really revoke?" : "Revoke"}</button></span>`}
  </div>`;
}
