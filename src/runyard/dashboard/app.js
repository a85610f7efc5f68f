/** The page: ties state, API and components together. */
import { batch, computed, effect, signal } from "@preact/signals";
import { render } from "preact";
import * as api from "./api.js";
import { complain } from "./actions.js";
import { startColumns } from "./columns.js";
import { Failed } from "./components/failed.js";
import { Help } from "./components/help.js";
import { MachineStrip, overnight } from "./components/machine-strip.js";
import { Later } from "./components/later.js";
import { startTabs } from "./components/tabs.js";
import { Toasts } from "./components/toast.js";
import { TopBar } from "./components/top-bar.js";
import { html } from "./html.js";
import { startKeyboard } from "./keyboard.js";
import { ProjectPage } from "./pages/project.js";
import { newestOf } from "./question.js";
import { reload, startRows } from "./rows.js";
import { loadSession, mustLogIn, session, welcomeKey } from "./session.js";
import { changed, isLive, machines, page, project, projects, query, queue, select, sought, start } from "./state.js";

const pages = new Later({
  queue: async () => (await import("./pages/queue.js")).QueuePage,
  morning: async () => (await import("./pages/morning.js")).MorningPage,
  projects: async () => (await import("./pages/projects.js")).ProjectsPage,
  disk: async () => (await import("./pages/disk.js")).DiskPage,
  account: async () => (await import("./pages/account.js")).AccountPage,
  admin: async () => (await import("./pages/admin.js")).AdminPage,
  screen: async () => (await import("./pages/screen.js")).ScreenPage,
  login: async () => (await import("./pages/login.js")).LoginPage,
  welcome: async () => (await import("./pages/welcome.js")).WelcomePage,
});
/** The page that is to be shown. */
const wanted = computed(() => (welcomeKey.value ? "welcome" : mustLogIn.value ? "login" : page.value));

function App() {
  const Page = wanted.value === "project" ? ProjectPage : pages.get(wanted.value);
  if (["welcome", "login"].includes(wanted.value)) return Page && html`<${Page} />`;
  if (projects.value === null) return html`<${Starting} />`;
  if (wanted.value === "screen") return Page && html`<${Page} />`;
  return html`<${TopBar} />
    ${projects.value.length > 0 && html`<${MachineStrip} />`}
    ${Page ? html`<${Page} />` : html`<main class="page"></main>`}
    <${Toasts} />
    <${Help} />`;
}

const LATER_MS = 1000; // what nobody looks at first

const trouble = signal(/** @type {Error | null} */ (null));

/** What stands in index.html, until there is something to show. */
function Starting() {
  return html`<header class="top"><a class="logo"><i></i><span>Runyard</span></a></header>
    <main class="page">${trouble.value && html`<${Failed} error=${trouble.value} onAgain=${() => (session.peek() ? loadProjects() : enter())} />`}</main>`;
}

async function loadProjects() {
  try {
    const found = await api.projects();
    batch(() => {
      trouble.value = null;
      if (JSON.stringify(found) !== JSON.stringify(projects.peek())) projects.value = found;
      if (project.peek() === "" && sought.peek() === "") project.value = newestOf(found);
    });
  } catch (error) {
    trouble.value = /** @type {Error} */ (error);
  }
}

/** Opens the project of the run that a link names. @param {string} id */
async function seek(id) {
  try {
    const { project: name } = await api.run(id);
    if (sought.peek() === id) batch(() => ((project.value = name), (sought.value = "")));
  } catch (error) {
    if (sought.peek() !== id) return;
    complain(error);
    batch(() => {
      sought.value = query.value = "";
      select([]);
      project.value = newestOf(projects.peek() ?? []);
    });
  }
}

/** Runs `load` at once, and then not more often than every `pause` ms. @param {() => Promise<void>} load @param {number} pause */
function calm(load, pause) {
  let last = 0;
  /** @type {number | undefined} */
  let timer;
  return () => {
    if (timer !== undefined) return;
    timer = setTimeout(async () => {
      timer = undefined;
      last = Date.now();
      await load().catch(() => {}); // the live dot says so, and the next change asks again
    }, Math.max(0, last + pause - Date.now()));
  };
}

const askMachines = calm(async () => void (machines.value = await api.machines()), 1000);
const askQueue = calm(async () => void (queue.value = await api.queue()), 700);
const askNight = calm(async () => void (overnight.value = await api.morning()), 5000);
const askProjects = calm(loadProjects, 3000);

/** Asks who is here, once. */
async function enter() {
  try {
    await loadSession();
    trouble.value = null;
  } catch (error) {
    trouble.value = /** @type {Error} */ (error);
  }
}

/** What may have changed between the first answers and the stream that tells of changes. */
function askMissed() {
  reload(0);
  askProjects();
  askMachines();
  askQueue();
}

/** What goes on for as long as somebody is logged in; begins once. */
function begin() {
  startColumns();
  startRows();
  startKeyboard();
  startTabs();
  effect(() => void (projects.value !== null && sought.value && seek(sought.value)));
  loadProjects();
  askMachines();
  askQueue();
  setTimeout(() => (askNight(), pages.fetchAll()), LATER_MS);
  setInterval(() => document.visibilityState === "visible" && (askMachines(), askNight()), 10_000);
  api.listen(
    (change) => {
      changed.value = change;
      if (change.machines) askMachines();
      if (change.queue) askQueue();
      if (change.runs.length || change.everything) {
        askProjects();
        askNight();
        askMachines();
        askQueue();
      }
    },
    (live, isBack) => {
      isLive.value = live;
      if (!live) return;
      if (!isBack) setTimeout(askMissed, LATER_MS);
      else {
        changed.value = { runs: [], queue: true, machines: true, everything: true };
        askMissed();
        askNight();
      }
    },
  );
}

start();
effect(() => void pages.fetch(wanted.value));
window.addEventListener(api.LOGGED_OUT, () => location.reload()); // nothing of what was shown stays
enter();
const stopWaiting = effect(() => {
  if (session.value === null || mustLogIn.value || welcomeKey.value) return;
  queueMicrotask(() => {
    stopWaiting();
    begin();
  });
});
effect(() => {
  const words = { queue: "Queue", morning: "Morning", projects: "Projects", disk: "Disk", screen: "Screen", account: "Tokens and password", admin: "Accounts" };
  document.title = `${words[/** @type {keyof typeof words} */ (page.value)] ?? project.value ?? ""} · Runyard`.replace(/^ · /, "");
});
const root = /** @type {Element} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
