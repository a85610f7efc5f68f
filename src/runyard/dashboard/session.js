/** Who is logged in, as far as this server asks for it at all. */
import { computed, signal } from "@preact/signals";
import * as api from "./api.js";

/** @import {Session} from "./types.js" */

/** null: not yet known. @type {import("@preact/signals").Signal<Session | null>} */
export const session = signal(/** @type {Session | null} */ (null));
/** Whether the page has to ask for a name first. */
export const mustLogIn = computed(() => session.value !== null && session.value.has_accounts && session.value.user === null);
const isOpen = computed(() => session.value === null || !session.value.has_accounts);
export const isAdmin = computed(() => session.value?.role === "admin");
/** Whether the server would take a change of runs, queue and views; a button that it would refuse is not shown. */
export const mayChange = computed(() => isOpen.value || isAdmin.value || session.value?.role === "member");
/** Whether it would delete for good, and clean by rule. */
export const mayDelete = computed(() => isOpen.value || isAdmin.value);
/** Why a viewer finds no buttons. */
export const LOOKING = "You may look at everything here and change nothing: your role is viewer.";

/** The key of the link that was opened (`#/welcome/KEY`), or "". It leaves the address at once, so that nobody copies it along. */
export const welcomeKey = signal(/^#\/welcome\/([\w-]+)/.exec(location.hash)?.[1] ?? "");
if (welcomeKey.peek()) history.replaceState(null, "", location.pathname);
window.addEventListener("hashchange", () => location.hash.startsWith("#/welcome/") && location.reload());

export const loadSession = async () => void (session.value = await api.session());

/** @param {string} name @param {string} password */
export const logIn = async (name, password) => void (session.value = await api.logIn(name, password));

/** Everything that was shown goes with the page. */
export async function logOut() {
  await api.logOut();
  location.assign(location.pathname);
}

/** @param {string} key @param {string} password @param {string | undefined} name */
export async function followLink(key, password, name) {
  session.value = await api.followLink(key, password, name);
  welcomeKey.value = "";
}
