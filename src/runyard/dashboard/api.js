/** Everything the page asks of the server; no other file fetches. The API is described at /api/v1/openapi.json. */

/** @import {Project, Run, RunPage, Columns, GroupPage, ActionResult, Growth, Queue, Reservation, Machine, Morning, Disk, Cleaning, CleaningAsked, Changed, SeriesRequest, Series, MediaItem, Output, Session, Link, Token, User, PrivateProject, AuditEntry} from "./types.js" */

import { BASE, columnsAddress, fitting, list, metricsAddress, part, runsAddress, url } from "./address.js";
import { eveningBefore } from "./format.js";

const LONGEST_NAME = 200; // of a download: its end tells what it is

/** What the server refused, in its own sentence; `position` and `length` point into a query. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status @param {{position?: number, length?: number}} [place] */
  constructor(message, status, place = {}) {
    super(message);
    this.status = status;
    this.position = place.position;
    this.length = place.length;
  }
}

/** Sent to the window when the server no longer knows who asks. */
export const LOGGED_OUT = "runyard-logged-out";
const LOGGING_IN = [`${BASE}/session`, `${BASE}/links/`];

/**
 * @param {string} address
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
async function ask(address, init) {
  let response;
  try {
    response = await fetch(address, init);
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is `runyard ui` still running?", 0);
  }
  if (response.ok) return response;
  if (response.status === 401 && !LOGGING_IN.some((each) => address.startsWith(each))) window.dispatchEvent(new Event(LOGGED_OUT));
  let body;
  try {
    body = await response.json();
  } catch {
    body = {};
  }
  const text = typeof body.error === "string" ? body.error : `The server answered ${response.status}.`;
  throw new ApiError(text, response.status, body);
}

/**
 * @param {string} path
 * @param {Record<string, any>} [params]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export const get = (path, params, signal) => read(url(path, params), signal);

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function read(address, signal) {
  const early = window.early.get(address);
  window.early.delete(address); // it is for one who asks, once
  const found = await early;
  signal?.throwIfAborted();
  return found ?? (await ask(address, { signal })).json();
}

/**
 * @param {"POST" | "PATCH" | "PUT" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function send(method, path, body, signal) {
  const headers = /** @type {Record<string, string>} */ ({ "X-Runyard": "1" });
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await ask(url(path), { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  return response.status === 204 ? null : response.json();
}

/** @returns {Promise<Session>} */
export const session = () => get("/session");
/** @param {string} name @param {string} password @returns {Promise<Session>} */
export const logIn = (name, password) => send("POST", "/session", { name, password });
export const logOut = () => send("DELETE", "/session");
/** @param {string} old @param {string} next @returns {Promise<Session>} */
export const changePassword = (old, next) => send("POST", "/session/password", { old, new: next });
/** @param {string} link @returns {Promise<Link>} */
export const lookAtLink = (link) => send("POST", "/links/look", { link });
/** @param {string} link @param {string} password @param {string} [name] of the first admin @returns {Promise<Session>} */
export const followLink = (link, password, name) => send("POST", "/links/follow", { link, password, ...(name !== undefined && { name }) });

/** @param {boolean} [everybody] those of all, for admins @returns {Promise<Token[]>} */
export const tokens = async (everybody) => (await get("/tokens", everybody ? { everybody: "true" } : {})).tokens;
/** @param {{label: string, role?: string, days?: number}} wish @returns {Promise<Token & {token: string}>} */
export const makeToken = (wish) => send("POST", "/tokens", wish);
/** @param {string} id @returns {Promise<Token>} */
export const revokeToken = (id) => send("DELETE", `/tokens/${part(id)}`);

/** @returns {Promise<User[]>} */
export const users = async () => (await get("/users")).users;
/** @param {string} name @param {string} role @returns {Promise<User & {link: string}>} */
export const invite = (name, role) => send("POST", "/users", { name, role });
/** @param {string} name @param {{role?: string, is_disabled?: boolean}} change @returns {Promise<User>} */
export const changeUser = (name, change) => send("PATCH", `/users/${part(name)}`, change);
/** @param {string} name @returns {Promise<{link: string}>} */
export const newLink = (name) => send("POST", `/users/${part(name)}/link`);
/** @returns {Promise<PrivateProject[]>} */
export const privateProjects = async () => (await get("/private")).projects;
/** @param {string} project @param {readonly string[]} members */
export const setMembers = (project, members) => send("PUT", `/private/${part(project)}`, { members });
/** @param {string} project */
export const openProject = (project) => send("DELETE", `/private/${part(project)}`);
/** @returns {Promise<AuditEntry[]>} */
export const audit = async () => (await get("/audit", { limit: 200 })).entries;

/** @returns {Promise<Project[]>} */
export const projects = async () => (await get("/projects")).projects;

/** @param {import("./types.js").RunsAsked} asked @param {AbortSignal} [signal] @returns {Promise<RunPage>} */
export const runs = (asked, signal) => read(runsAddress(asked), signal);

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Run>} */
export const run = (id, signal) => get(`/runs/${part(id)}`, {}, signal);

/** @param {string} project @param {string} [query] @param {AbortSignal} [signal] @param {boolean} [isWhole] all metrics, also where they are thousands @returns {Promise<Columns>} */
export const columns = (project, query, signal, isWhole) => read(columnsAddress(project, query, isWhole), signal);

/**
 * @param {{project: string, query?: string, by: string, metrics?: readonly string[], sort?: string, offset?: number, limit?: number}} asked
 * @param {AbortSignal} [signal]
 * @returns {Promise<GroupPage>}
 */
export const groups = (asked, signal) => get("/groups", { ...asked, metrics: fitting(asked.metrics) }, signal);

/** @param {string} id @param {{name?: string, note?: string, add_tags?: string[], remove_tags?: string[]}} change @returns {Promise<Run>} */
export const change = (id, change) => send("PATCH", `/runs/${part(id)}`, change);

/** @param {string} action @param {readonly string[]} runs @param {unknown} [value] @returns {Promise<ActionResult>} */
export const act = (action, runs, value) => send("POST", "/actions", { action, runs, value });

/**
 * @param {{project: string, query: string | null, points: readonly Record<string, unknown>[], is_dry: boolean}} asked
 * @param {AbortSignal} [signal]
 * @returns {Promise<Growth>}
 */
export const fillPoints = (asked, signal) => send("POST", "/grids/points", asked, signal);

/** @param {string} project @param {boolean} isPaused */
export const pause = (project, isPaused) => send("POST", `/projects/${part(project)}/${isPaused ? "pause" : "resume"}`);

const slotPath = (/** @type {string} */ host, /** @type {string} */ slot) => `/machines/${part(host)}/slots/${part(slot)}/reservation`;
/** @param {string} host @param {string} slot @param {number} hours @param {string} why @returns {Promise<Reservation>} */
export const reserve = (host, slot, hours, why) => send("PUT", slotPath(host, slot), { hours, why });
/** @param {string} host @param {string} slot @returns {Promise<Reservation>} */
export const endReservation = (host, slot) => send("DELETE", slotPath(host, slot));

/** @param {readonly string[]} runs @param {string} section @param {AbortSignal} [signal] @returns {Promise<any>} */
export const diff = (runs, section, signal) => get("/diff", { runs: list(runs), section }, signal);

/** @param {readonly string[]} runs @param {AbortSignal} [signal] @returns {Promise<string[]>} */
export const metricKeys = async (runs, signal) => (await read(metricsAddress(runs), signal)).keys;

/** @param {readonly string[]} runs @param {AbortSignal} [signal] @returns {Promise<MediaItem[]>} */
export const media = async (runs, signal) => (await get("/media", { runs: list(runs) }, signal)).media;

/** @param {MediaItem} item */
export const mediaUrl = (item) => url(`/runs/${part(item.run)}/media/${item.attempt}/${part(item.stream)}/${item.offset}`);

/**
 * A medium's content, and what was logged beside it (`{caption}` of an image). JSON is decoded, text is text, pictures are a blob.
 * @param {MediaItem} item
 * @param {AbortSignal} [signal]
 * @returns {Promise<{content: any, meta: Record<string, unknown>}>}
 */
export async function mediumOf(item, signal) {
  const response = await ask(mediaUrl(item), { signal });
  const meta = JSON.parse(decodeURIComponent(response.headers.get("X-Runyard-Meta") ?? "{}"));
  if (item.mime === "application/json") return { content: await response.json(), meta };
  return { content: item.mime === "text/plain" ? await response.text() : await response.blob(), meta };
}

/** @param {string} id @param {{attempt?: number, offset?: number, limit?: number}} asked @param {AbortSignal} [signal] @returns {Promise<Output>} */
export const output = (id, asked, signal) => get(`/runs/${part(id)}/output`, asked, signal);

/** @param {string} id @returns {Promise<{artifacts: any[]}>} */
export const artifacts = (id) => get(`/runs/${part(id)}/artifacts`);

/** @param {string} sha256 @param {string} name */
export const artifactUrl = (sha256, name) => url(`/artifacts/${part(sha256)}`, { name: name.slice(-LONGEST_NAME) });

/** @param {string} [project] @param {AbortSignal} [signal] @returns {Promise<Queue>} */
export const queue = (project, signal) => get("/queue", { project }, signal);

/** @param {AbortSignal} [signal] @returns {Promise<Machine[]>} */
export const machines = async (signal) => (await get("/machines", {}, signal)).machines;

/** @param {string} [project] @param {string} [since] yesterday evening @param {AbortSignal} [signal] @returns {Promise<Morning>} */
export const morning = (project, since = eveningBefore(new Date()), signal) => get("/morning", { project, since }, signal);

/** @param {string} [project] @param {AbortSignal} [signal] @returns {Promise<Disk>} */
export const disk = (project, signal) => get("/disk", { project }, signal);

/** @param {CleaningAsked} asked @param {AbortSignal} [signal] @returns {Promise<Cleaning>} */
export const cleaning = (asked, signal) => get("/disk/cleaning", { ...asked }, signal);
/** @param {CleaningAsked & {plan: string}} asked `plan` of the preview @returns {Promise<{count: number, size_bytes: number, freed_bytes: number, ids: string[]}>} */
export const clean = (asked) => send("POST", "/disk/cleaning", asked);

/** @returns {Promise<any>} */
export const trash = () => get("/trash");
export const emptyTrash = () => send("POST", "/trash/empty");

/** @returns {Promise<any>} */
export const views = () => get("/views");
/** @param {string} name @param {unknown} view */
export const saveView = (name, view) => send("PUT", `/views/${part(name)}`, view);
/** @param {string} name */
export const deleteView = (name) => send("DELETE", `/views/${part(name)}`);

/**
 * Curves of many runs and keys in one binary answer: a length, a JSON header, float64 arrays back to back.
 * @param {SeriesRequest} asked
 * @param {AbortSignal} [signal]
 * @returns {Promise<Series[]>}
 */
export async function series(asked, signal) {
  const headers = { "X-Runyard": "1", "Content-Type": "application/json" };
  const response = await ask(url("/series"), { method: "POST", headers, body: JSON.stringify(asked), signal });
  const bytes = await response.arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  return header.series.map((/** @type {any} */ each) => {
    const found = { ...each, arrays: /** @type {Record<string, Float64Array>} */ ({}) };
    each.arrays.forEach((/** @type {string} */ name, /** @type {number} */ i) => {
      found.arrays[name] = new Float64Array(bytes, start + each.offset + i * each.count * 8, each.count);
    });
    return found;
  });
}

/**
 * Listens to what changes, for as long as the page lives; comes back by itself after the server was restarted.
 * @param {(changed: Changed) => void} onChange
 * @param {(isLive: boolean, isBack: boolean) => void} onLive `isBack`: the connection was lost in between
 */
export function listen(onChange, onLive) {
  let wasLost = false;
  /** @type {EventSource} */
  let source;
  const open = () => {
    source = new EventSource(url("/events"));
    source.onopen = () => {
      onLive(true, wasLost);
      wasLost = false;
    };
    source.addEventListener("changed", (event) => onChange(JSON.parse(event.data)));
    source.onerror = () => {
      wasLost = true;
      onLive(false, false);
      source.close();
      setTimeout(open, 2000);
    };
  };
  open();
  window.addEventListener("pagehide", () => source.close());
}
