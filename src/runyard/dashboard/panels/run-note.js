import { useState } from "preact/hooks";

import * as api from "../api.js";
import { edit } from "../actions.js";
import { html } from "../html.js";
import { LOOKING, mayChange } from "../session.js";

/**
 * What people wrote about a run; it is kept when the field is left.
 * @param {{run: any, onChange: (run: any) => void}} props
 */
export function RunNote({ run, onChange }) {
  const [text, setText] = useState(run.note);
  const keep = async () => {
    if (text === run.note) return;
    if (await edit(run.id, { note: text })) onChange(await api.run(run.id));
  };
  return html`<section><h3>Note</h3>
    <textarea class="input sheet-note" rows=${Math.min(Math.max(text.split("\n").length, 2), 12)} readonly=${!mayChange.value} title=${mayChange.value ? undefined : LOOKING} placeholder=${mayChange.value ? "What did you try, and what came of it?" : ""} aria-label="Note" value=${text}
      onInput=${(/** @type {Event} */ event) => setText(/** @type {HTMLTextAreaElement} */ (event.target).value)} onBlur=${keep}></textarea></section>`;
}
