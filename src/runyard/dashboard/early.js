/**
 * Asks the server for what every view needs before a module has arrived: who is here, the projects, the columns. The
 * server writes this script into the page. Whoever asks for one of these documents soon takes it from `window.early`.
 */
{
  /** By address; undefined: whoever needs it asks again, and hears what is wrong. @type {Map<string, Promise<any>>} */
  const early = new Map();
  window.early = early;
  const ask = (/** @type {string} */ path, /** @type {Record<string, string>} */ params = {}) => {
    const search = new URLSearchParams(params).toString();
    const address = `/api/v1/${path}${search && `?${search}`}`;
    const found = fetch(address).then(
      (response) => (response.ok ? response.json() : undefined),
      () => undefined,
    );
    early.set(address, found);
    return found;
  };
  const [, name, text] = /^#\/p\/([^?]+)(?:\?(.*))?/s.exec(location.hash) ?? [];
  const askRest = () => {
    ask("projects");
    if (!name) return;
    const project = decodeURIComponent(name);
    const query = new URLSearchParams(text).get("q");
    ask("columns", { project });
    if (query) ask("columns", { project, query });
  };
  const session = ask("session");
  if (document.documentElement.dataset.door === "open") askRest(); // the server expects to be allowed to answer
  else session.then((found) => found && (found.user !== null || !found.has_accounts) && askRest());
  setTimeout(() => early.clear(), 10_000); // then nobody waits for them, and they may not be true any more
}
