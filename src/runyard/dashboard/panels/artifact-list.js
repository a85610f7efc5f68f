import * as api from "../api.js";
import { bytes, moment } from "../format.js";
import { html } from "../html.js";

/**
 * The files that a run left, each a download.
 * @param {{artifacts: {name: string, kind: string, size_bytes: number, sha256: string, attempt: number, at: string}[]}} props
 */
export function ArtifactList({ artifacts }) {
  return html`<section><h3>Files</h3>
    <table class="summary is-text"><tbody>${artifacts.slice(0, 500).map(
      (file) => html`<tr key=${`${file.attempt} ${file.name}`}>
        <th scope="row"><a class="link" href=${api.artifactUrl(file.sha256, file.name)} download>${file.name}</a></th>
        <td>${file.kind}</td><td class="num">${bytes(file.size_bytes)}</td><td>${moment(file.at)}</td><td class="mono faint" title=${file.sha256}>${file.sha256.slice(0, 10)}</td>
      </tr>`,
    )}</tbody></table></section>`;
}
