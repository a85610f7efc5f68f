/** The keys that work anywhere on the page, except while somebody types. */
import { act, takeAll } from "./actions.js";
import { regroup } from "./components/group-menu.js";
import { helpIsOpen } from "./components/help.js";
import { tableKeys } from "./components/run-table.js";
import { groupBy, page, select, selectedRuns, tab } from "./state.js";

/** @type {Record<string, (event: KeyboardEvent) => void>} */
const ON_RUNS = {
  "/": () => document.getElementById("filter")?.focus(),
  ArrowDown: (event) => tableKeys.move(1, event.shiftKey),
  ArrowUp: (event) => tableKeys.move(-1, event.shiftKey),
  PageDown: () => tableKeys.move(20, false),
  PageUp: () => tableKeys.move(-20, false),
  Home: () => tableKeys.move(-Infinity, false),
  End: () => tableKeys.move(Infinity, false),
  ArrowRight: () => tableKeys.unfold(true),
  ArrowLeft: () => tableKeys.unfold(false),
  " ": () => tableKeys.toggle(),
  Enter: () => tableKeys.edit(),
  c: () => (tab.value = "charts"),
  d: () => (tab.value = "diff"),
  g: () => regroup(groupBy.peek() === "all-but-seed" ? "" : "all-but-seed"),
  Delete: () => void act("trash", selectedRuns.peek()),
  Escape: () => select([]),
};

export function startKeyboard() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input, textarea, select, [contenteditable], dialog, .menu")) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "a" || page.peek() !== "project" || target.closest(".right")) return;
      event.preventDefault();
      takeAll();
      return;
    }
    if (event.key === "?") {
      helpIsOpen.value = true;
      return;
    }
    if (event.key === "b" || (event.key === "Escape" && page.peek() === "screen")) {
      toggleScreen();
      return;
    }
    const isButton = target.closest("button, a, [role=tab]") !== null;
    if (page.peek() !== "project" || (isButton && (event.key === " " || event.key === "Enter"))) return;
    const isInPanel = target.closest(".right") !== null;
    if (isInPanel && /^(Arrow|Page|Home|End| |Enter|Delete)/.test(event.key)) return;
    const action = ON_RUNS[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

let before = "project";

/** To the big screen, and back to where one was. */
function toggleScreen() {
  if (page.peek() === "screen") {
    page.value = before;
  } else {
    before = page.peek();
    page.value = "screen";
  }
}
