/** The shapes that travel between server and page (docs: /api/v1/openapi.json), and those of the page's state. */

declare global {
  interface Window {
    /** Documents that were asked for before the modules arrived (`early.js`), by address. */
    early: Map<string, Promise<any>>;
  }
}

export interface Session {
  has_accounts: boolean;
  user: string | null;
  role: "viewer" | "member" | "admin" | null;
  token_id: string | null;
  projects: string[] | null;
}

export interface Link {
  kind: "first" | "invitation" | "reset";
  user: string | null;
}

export interface Token {
  id: string;
  user: string;
  label: string;
  role: string;
  projects: string[] | null;
  created_at: string;
  expires_at: string | null;
  used_at: string | null;
  revoked_at: string | null;
}

export interface User {
  name: string;
  role: string;
  is_disabled: boolean;
  has_password: boolean;
  created_at: string;
  seen_at: string | null;
}

export interface PrivateProject {
  project: string;
  members: string[];
}

export interface AuditEntry {
  id: number;
  at: string;
  who: string;
  what: string;
  subject: string;
  detail: string;
}

export interface MetricSummary {
  last: number | null;
  last_step?: number | null;
  min: number | null;
  min_step?: number | null;
  max: number | null;
  max_step?: number | null;
  count: number;
}

export interface Progress {
  done: number;
  total: number | null;
  label?: string;
  at?: string;
  remaining_s: number | null;
}

export interface Run {
  id: string;
  project: string;
  name: string;
  experiment: string | null;
  grid: string | null;
  /** id of the run that started it */
  parent: string | null;
  /** where another tracker keeps it, or kept it */
  source: string;
  kind: string;
  state: string;
  reason: string | null;
  attempt: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  duration_s: number | null;
  progress: Progress | null;
  user: string | null;
  host: string | null;
  devices: string[];
  tags: string[];
  note: string;
  seed: number | null;
  config: Record<string, unknown>;
  changed?: string[];
  summary: Record<string, MetricSummary>;
  warnings?: unknown[];
  is_trashed: boolean;
  [more: string]: unknown;
}

export interface RunPage {
  /** null: was not asked for, and is not known yet */
  total: number | null;
  offset: number;
  runs: Run[];
}

export interface Project {
  name: string;
  runs: number;
  running: number;
  waiting: number;
  failed: number;
  last_at: string | null;
  metrics: { key: string; goal: string }[];
  last_run: { id: string; name: string; state: string } | null;
  template: { version: string; latest: string | null; behind: number | null } | null;
  ci: { state: string; at: string } | null;
}

export interface Columns {
  config: { key: string; distinct: number; values: unknown[] }[];
  /** Some of every section, where nobody has asked for the whole list. */
  metrics: { key: string; count: number }[];
  metrics_total: number;
  tags: string[];
}

export interface Group {
  id: string;
  label: string;
  n: number;
  run_ids: string[];
  config: Record<string, unknown>;
  metrics: Record<string, { mean: number | null; std: number | null; n: number; min: number | null; max: number | null }>;
  states: Record<string, number>;
}

export interface GroupPage {
  total: number;
  groups: Group[];
}

export interface ActionResult {
  done: string[];
  refused: { id: string; why: string }[];
}

export interface QueueRow {
  id: string;
  name: string;
  project: string;
  grid: string | null;
  user: string | null;
  state: string;
  place: number | null;
  priority: number;
  attempt: number;
  reason: string | null;
  since: string | null;
  eta_s: number | null;
}

export interface Queue {
  paused: Record<string, string>;
  rows: QueueRow[];
  counts: Record<string, number>;
}

/** What points of a grid take; `runs`: those that were queued. */
export interface Growth {
  new: number;
  retried: number;
  present: number;
  names: string[];
  runs: string[];
}

export interface Reservation {
  user: string;
  since: string;
  until: string;
  why: string;
}

export interface Slot {
  name: string;
  label: string;
  kind: string;
  device: string | null;
  state: "running" | "busy" | "reserved" | "free" | "sick";
  run_id: string | null;
  run_name: string | null;
  user: string | null;
  progress: number | Progress | null;
  eta_s: number | null;
  reason: string | null;
  reservation: Reservation | null;
  /** Processes on a GPU outside Runyard. */
  used_by: { pid: number; name: string; user: string; memory_bytes: number | null }[];
  util_percent: number | null;
  memory_used_bytes: number | null;
  memory_total_bytes: number | null;
  temperature_c: number | null;
  power_w: number | null;
}

export interface Machine {
  host: string;
  cpu_percent: number | null;
  memory_used_bytes: number | null;
  memory_total_bytes: number | null;
  disk_free_bytes: number | null;
  slots: Slot[];
}

export interface Morning {
  since: string;
  ended: Record<string, number>;
  failures: { fingerprint: string; state: string; reason: string; count: number; runs: string[] }[];
  best: { project: string; grid: string | null; experiment: string | null; run_name: string; metric: string; goal: string; run: string; value: number | null; previous: number | null }[];
  waiting: number;
  eta_s: number | null;
  disk_free_bytes: number | null;
}

export interface Disk {
  total_bytes: number;
  projects: { name: string; size_bytes: number }[];
  kinds: Record<string, number>;
  runs: { id: string; name: string; project: string; size_bytes: number }[];
  trash_bytes: number;
}

/** What a rule would take; `plan` names exactly that. */
/** A rule; with `keep_bytes` it takes what each project has above that size. */
export interface CleaningAsked {
  rule: string;
  older_than_days: number;
  keep_bytes?: number;
  project?: string;
}

export interface Cleaning {
  rule: string;
  plan: string;
  count: number;
  size_bytes: number;
  runs: { id: string; name: string; project: string; size_bytes: number }[];
  ids: string[];
  kept: Record<string, number>;
}

export interface Changed {
  runs: string[];
  queue: boolean;
  machines: boolean;
  /** Whether anything may have changed, as after a lost connection. */
  everything?: boolean;
}

export interface SeriesRequest {
  runs: readonly string[];
  keys: readonly string[];
  buckets?: number;
  start?: number | null;
  stop?: number | null;
  x?: "step" | "time" | "relative" | `metric:${string}`;
}

export interface Series {
  run: string;
  key: string;
  count: number;
  is_bucketed: boolean;
  arrays: Record<string, Float64Array>;
}

export interface MediaItem {
  run: string;
  key: string;
  step: number;
  kind: string;
  mime: string;
  attempt: number;
  stream: string;
  offset: number;
  meta?: Record<string, unknown>;
}

export interface Output {
  attempt: number;
  text: string;
  next_offset: number;
  is_ended: boolean;
  dropped_bytes: number;
}

export interface DiffRow {
  key?: string;
  values?: unknown[];
  path?: string;
  change?: string;
  diff?: string;
}

/** A column as the person wants it; `id` is `state`, `config:optim.lr`, `metric:val/accuracy.max`, … */
/** Which runs, and what of them. */
export interface RunsAsked {
  project?: string;
  query?: string;
  sort?: string;
  offset?: number;
  limit?: number;
  count?: boolean;
  metrics?: readonly string[];
  config?: readonly string[];
}

/** What an address of the page says. `run`: the link of one run; `view`: all about the project page, null: the default. */
export interface Place {
  page: string;
  run: string;
  view: {
    project: string;
    query: string;
    sort: string;
    groupBy: string;
    tab: string;
    split: number;
    columns: ColumnChoice[] | null;
    params: Record<string, string>;
    selection: string[];
    colours: Map<string, number>;
  } | null;
}

export interface ColumnChoice {
  id: string;
  width?: number;
  isPinned?: boolean;
}

/** A column as the table draws it. */
export interface Column {
  id: string;
  title: string;
  kind: "field" | "config" | "metric";
  key: string;
  statistic?: string;
  width: number;
  isPinned: boolean;
  isNumber: boolean;
  sortKey: string | null;
  hint?: string;
  /** Beside the title: which value of the metric, unless it is the best. */
  note?: string;
}

/** A selected run or group. */
export interface Item {
  id: string;
  label: string;
  runIds: readonly string[];
  isGroup: boolean;
  state?: string;
}

export interface Hover {
  run: string;
  step: number | null;
}

export interface Toast {
  id: number;
  text: string;
  kind: "done" | "bad";
  undo?: () => void;
}
