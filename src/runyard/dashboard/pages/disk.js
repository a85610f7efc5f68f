import { useSignal } from "@preact/signals";
import * as api from "../api.js";
import { act, complain, say } from "../actions.js";
import { Cleaner } from "../components/cleaner.js";
import { Failed } from "../components/failed.js";
import { RunLink } from "../components/run-link.js";
import { useAnswer } from "../components/use-answer.js";
import { bytes, plural } from "../format.js";
import { html } from "../html.js";
import { mayChange, mayDelete } from "../session.js";

/** Where the bytes are, and what is in the trash. */
export function DiskPage() {
  const { answer, error, again } = useAnswer((signal) => api.disk(undefined, signal), [], 8000);
  const bin = useAnswer(() => api.trash(), [], 3000);
  if (error && !answer) return html`<main class="page"><${Failed} error=${error} onAgain=${again} /></main>`;
  if (!answer) return html`<main class="page" aria-label="Disk"><header class="page-head"><h1>Disk</h1><p class="muted">Measuring the folders of all runs <i class="spin"></i></p></header></main>`;
  const kinds = Object.entries(answer.kinds).filter(([, size]) => size > 0).sort((a, b) => b[1] - a[1]);
  const refresh = () => {
    again();
    bin.again();
  };
  return html`<main class="page" aria-label="Disk">
    <header class="page-head">
      <h1>Disk</h1>
      <p class="muted">${bytes(answer.total_bytes)} in all</p>
    </header>
    <section class="card-block">
      <h2>By kind</h2>
      <div class="share tall" aria-hidden="true">${kinds.map(([kind, size], i) => html`<i key=${kind} style=${{ flexGrow: size, background: `var(--c${(i % 7) + 1})` }}></i>`)}</div>
      <div class="share-words">
        ${kinds.map(([kind, size], i) => html`<span key=${kind}><i class="dot" style=${{ background: `var(--c${(i % 7) + 1})` }}></i>${kind} <b>${bytes(size)}</b></span>`)}
      </div>
    </section>
    ${mayDelete.value && html`<${Cleaner} onDone=${refresh} />`}
    <div class="two">
      <section class="card-block">
        <h2>By project</h2>
        <${Sizes} rows=${answer.projects.map((each) => ({ id: each.name, label: html`<a class="run-link" href=${`#/p/${encodeURIComponent(each.name)}`}>${each.name}</a>`, size: each.size_bytes }))} />
      </section>
      <section class="card-block">
        <h2>Largest runs</h2>
        <${Sizes}
          rows=${answer.runs.slice(0, 10).map((each) => ({ id: each.id, label: html`<${RunLink} run=${each.id} in=${each.project}>${each.name}</${RunLink}>`, size: each.size_bytes }))}
          onDelete=${mayChange.value ? (/** @type {string} */ id) => act("trash", [id]).then(refresh) : undefined}
        />
      </section>
    </div>
    <${Trash} answer=${bin.answer} size=${answer.trash_bytes} refresh=${refresh} />
  </main>`;
}

/** @param {{rows: {id: string, label: any, size: number}[], onDelete?: (id: string) => void}} props */
function Sizes({ rows, onDelete }) {
  const most = Math.max(1, ...rows.map((each) => each.size));
  if (rows.length === 0) return html`<p class="faint">Nothing yet.</p>`;
  return html`<div class="list">
    ${rows.map(
      (each) => html`<div class="list-row size-row" key=${each.id}>
        <span class="what">${each.label}</span>
        <span class="bar" aria-hidden="true"><i style=${{ width: `${(each.size / most) * 100}%` }}></i></span>
        <span class="value">${bytes(each.size)}</span>
        ${onDelete && html`<button class="quiet danger" onClick=${() => onDelete(each.id)}>Delete</button>`}
      </div>`,
    )}
  </div>`;
}

/** @param {{answer: any, size: number, refresh: () => void}} props */
function Trash({ answer, size, refresh }) {
  const isSure = useSignal(false);
  /** @type {any[]} */
  const runs = answer?.runs ?? [];
  /** @type {{id: string, size_bytes: number}[]} */
  const checkpoints = answer?.checkpoints ?? [];
  const isEmpty = runs.length + checkpoints.length === 0;
  const words = [runs.length ? plural(answer.total, "run") : "", checkpoints.length ? `checkpoints of ${plural(checkpoints.length, "run")}` : ""].filter(Boolean).join(" and ");
  const empty = async () => {
    if (!isSure.value) {
      isSure.value = true;
      setTimeout(() => (isSure.value = false), 5000);
      return;
    }
    isSure.value = false;
    try {
      const found = await api.emptyTrash();
      say(`The trash is empty: ${bytes(found.size_bytes)} are free again.`);
      refresh();
    } catch (caught) {
      complain(caught);
    }
  };
  return html`<section class="card-block">
    <h2>Trash <span class="faint">${isEmpty ? "" : `${words}, ${bytes(size)}`}</span></h2>
    ${isEmpty && html`<p class="faint">Empty. Deleted runs wait here until the trash is emptied.</p>`}
    ${!isEmpty &&
    html`<div class="list">
        ${checkpoints.length > 0 &&
        html`<div class="list-row">
          <span class="what">Checkpoints of ${plural(checkpoints.length, "run")}<small>the runs themselves are where they were</small></span>
          <span class="value">${bytes(checkpoints.reduce((sum, each) => sum + each.size_bytes, 0))}</span>
          <span class="do">${mayChange.value && html`<button class="quiet" onClick=${() => act("restore_checkpoints", checkpoints.map((each) => each.id)).then(refresh)}>Restore</button>`}</span>
        </div>`}
        ${runs.slice(0, 200).map(
          (each) => html`<div class="list-row" key=${each.id}>
            <span class="what">${each.name}<small>${each.project}</small></span>
            <span class="value">${bytes(each.size_bytes)}</span>
            <span class="do">${mayChange.value && html`<button class="quiet" onClick=${() => act("restore", [each.id]).then(refresh)}>Restore</button>`}</span>
          </div>`,
        )}
      </div>
      ${mayDelete.value && html`<button class="button danger" onClick=${empty}>${isSure.value ? `Really delete ${words} for good?` : "Empty the trash"}</button>`}`}
  </section>`;
}
