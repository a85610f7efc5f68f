import { useSignal } from "@preact/signals";
import { html } from "../html.js";

/**
 * A command with a button that copies it.
 * @param {{text: string}} props
 */
export function CopyLine({ text }) {
  const isCopied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
    setTimeout(() => (isCopied.value = false), 1500);
  };
  return html`<div class="copy-line">
    <code>${text}</code><button class="quiet" onClick=${copy} aria-label=${`Copy: ${text}`}>${isCopied.value ? "copied" : "copy"}</button>
  </div>`;
}
