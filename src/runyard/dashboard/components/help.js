import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";

export const helpIsOpen = signal(false);

const KEYS = [
  ["/", "to the filter"],
  ["↑ ↓", "between runs; with Shift they are selected"],
  ["Space", "select the run, or let it go"],
  ["Ctrl A", "select all that the filter found"],
  ["→ ←", "unfold or fold a group"],
  ["Enter", "rename the run"],
  ["g", "fold the seeds of a setting into one row"],
  ["c d", "charts, diff"],
  ["Delete", "move the selected runs to the trash"],
  ["Esc", "let the selection go"],
  ["b", "the big screen for the meeting room, and back"],
  ["?", "these keys"],
];

/** The keys, over the page. */
export function Help() {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    if (helpIsOpen.value) box.current?.showModal();
    else box.current?.close();
  }, [helpIsOpen.value]);
  const close = () => (helpIsOpen.value = false);
  const onClick = (/** @type {MouseEvent} */ event) => event.target === box.current && close();
  return html`<dialog class="help" ref=${box} aria-label="Keys" onClose=${close} onClick=${onClick}>
    <div class="help-body">
      <h2>Keys</h2>
      <dl>${KEYS.map(([keys, what]) => html`<dt>${keys.split(" ").map((key) => html`<kbd class="key">${key}</kbd>`)}</dt><dd>${what}</dd>`)}</dl>
      <h2>In the table</h2>
      <p>Click selects one run, <kbd class="key">Ctrl</kbd> click adds one, <kbd class="key">Shift</kbd> click all between. Double click edits a name, tags or a note. Headers sort; drag them to reorder, drag their edge to resize.</p>
      <button class="button" onClick=${close}>Close</button>
    </div>
  </dialog>`;
}
