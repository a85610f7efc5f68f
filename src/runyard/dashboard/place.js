/** What an address of the page says, as `state.js` writes it; a part that is missing has its default. */

/** @import {ColumnChoice, Place} from "./types.js" */

const OWN = new Set(["q", "sort", "group", "sel", "tab", "split", "cols"]);
const PAGES = new Set(["queue", "morning", "projects", "disk", "screen", "account", "admin"]);
export const SPLIT = 0.42;

/** @param {string} hash of the address @returns {Place} */
export function placeOf(hash) {
  const [path, text = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [first, ...rest] = path.split("/");
  if (PAGES.has(first)) return { page: first, run: "", view: null };
  const run = first === "run" ? rest[0] : first === "experiments" && rest[1] === "runs" ? rest[2] : ""; // as MLflow's clients print it
  if (run) return { page: "project", run: decodeURIComponent(run), view: null };
  if (first !== "p") return { page: "project", run: "", view: null };
  const search = new URLSearchParams(text);
  return {
    page: "project",
    run: "",
    view: {
      project: decodeURIComponent(rest.join("/")),
      query: search.get("q") ?? "",
      sort: search.get("sort") ?? "",
      groupBy: search.get("group") ?? "",
      tab: search.get("tab") ?? "charts",
      split: Math.min(1, Math.max(0.15, Number(search.get("split") ?? SPLIT) || SPLIT)),
      columns: columnsOf(search.get("cols")),
      params: Object.fromEntries([...search].filter(([name]) => !OWN.has(name))),
      ...selectionOf(search.get("sel") ?? ""),
    },
  };
}

/** @param {string | null} text @returns {ColumnChoice[] | null} */
function columnsOf(text) {
  if (!text) return null;
  try {
    return JSON.parse(text).map((/** @type {[string, number, number]} */ [id, width, pin]) => ({ id: String(id), width: width || undefined, isPinned: pin === 1 }));
  } catch {
    return null; // somebody edited the URL by hand
  }
}

/** @param {string} text ids with their colours */
function selectionOf(text) {
  /** @type {Map<string, number>} */
  const colours = new Map();
  const selection = text.split(" ").filter(Boolean).map((each) => {
    const at = each.lastIndexOf("~");
    if (at < 1) return each;
    colours.set(each.slice(0, at), Number(each.slice(at + 1)) || 0);
    return each.slice(0, at);
  });
  return { selection, colours };
}
