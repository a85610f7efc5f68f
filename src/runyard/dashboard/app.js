/** The page: ties state, API and components together. */
import { batch, effect, signal } from "@preact/signals";
import { render } from "preact";
import * as api from "./api.js";
import { startColumns } from "./columns.js";
import { Failed } from "./components/failed.js";
import { Help } from "./components/help.js";
import { MachineStrip, overnight } from "./components/machine-strip.js";
import { startTabs } from "./components/tabs.js";
import { Toasts } from "./components/toast.js";
import { TopBar } from "./components/top-bar.js";
import { html } from "./html.js";
import { startKeyboard } from "./keyboard.js";
import { AccountPage } from "./pages/account.js";
import { AdminPage } from "./pages/admin.js";
import { DiskPage } from "./pages/disk.js";
import { LoginPage } from "./pages/login.js";
import { MorningPage } from "./pages/morning.js";
import { ProjectPage } from "./pages/project.js";
import { ProjectsPage } from "./pages/projects.js";
import { QueuePage } from "./pages/queue.js";
import { ScreenPage } from "./pages/screen.js";
import { WelcomePage } from "./pages/welcome.js";
import { startRows } from "./rows.js";
import { loadSession, mustLogIn, session, welcomeKey } from "./session.js";
import { changed, isLive, machines, page, project, projects, queue, start } from "./state.js";

/** @type {Record<string, () => any>} */
const PAGES = { project: ProjectPage, queue: QueuePage, morning: MorningPage, projects: ProjectsPage, disk: DiskPage, account: AccountPage, admin: AdminPage };

function App() {
  const Page = PAGES[page.value] ?? ProjectPage;
  if (welcomeKey.value) return html`<${WelcomePage} />`;
  if (mustLogIn.value) return html`<${LoginPage} />`;
  if (projects.value === null) return html`<${Starting} />`;
  if (page.value === "screen") return html`<${ScreenPage} />`;
  return html`<${TopBar} />
    ${projects.value.length > 0 && html`<${MachineStrip} />`}
    <${Page} />
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
      if ((page.peek() === "project" || project.peek() === "") && !found.some((each) => each.name === project.peek()) && found.length) {
        project.value = [...found].sort((a, b) => (b.last_at ?? "").localeCompare(a.last_at ?? ""))[0].name;
      }
    });
  } catch (error) {
    trouble.value = /** @type {Error} */ (error);
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

/** What goes on for as long as somebody is logged in; begins once. */
function begin() {
  startColumns();
  startRows();
  startKeyboard();
  startTabs();
  loadProjects();
  askMachines();
  askQueue();
  setTimeout(askNight, LATER_MS);
  setInterval(() => document.visibilityState === "visible" && (askMachines(), askNight()), 10_000);
  api.listen(
    (change) => {
      changed.value = change;
      if (change.machines) askMachines();
      if (change.queue) askQueue();
      if (change.runs.length) {
        askProjects();
        askNight();
        askMachines();
        askQueue();
      }
    },
    (live, isBack) => {
      isLive.value = live;
      if (!isBack) return;
      changed.value = { runs: [], queue: true, machines: true, everything: true };
      askProjects();
      askMachines();
      askQueue();
      askNight();
    },
  );
}

start();
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
