"""A dashboard in a process of its own, a Chromium that looks at it, and clocks inside of the page."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
)

# Frames and long tasks of the page, from `start` to `stop`. Chromium tells of tasks over 50 ms and of no others.
CLOCKS = """
window.frames_ = [];
window.tasks_ = [];
window.isCounting_ = false;
const times = (list) => list.getEntries().map((each) => [each.startTime, each.duration]);
new PerformanceObserver((list) => window.tasks_.push(...times(list)))
  .observe({ type: "longtask", buffered: true });
window.startClock_ = () => {
  window.frames_ = [];
  window.tasks_ = [];
  window.isCounting_ = true;
  const tick = (at) => {
    window.frames_.push(at);
    if (window.isCounting_) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
};
window.stopClock_ = () => {
  window.isCounting_ = false;
  const gaps = window.frames_.slice(1).map((at, i) => at - window.frames_[i]).sort((a, b) => a - b);
  return {
    frames: gaps.length,
    fps: gaps.length ? 1000 * gaps.length / gaps.reduce((a, b) => a + b, 0) : 0,
    p99: gaps[Math.floor(gaps.length * 0.99)] ?? 0,
    worst: gaps.at(-1) ?? 0,
    tasks: window.tasks_.map((each) => each[1]),
  };
};
window.until_ = async (isDone) => {
  const until = performance.now() + 60000;
  while (!isDone()) {
    if (performance.now() > until) throw new Error("60 s are over");
    await new Promise((done) => { const c = new MessageChannel(); c.port1.onmessage = done; c.port2.postMessage(0); });
  }
};
// The same for what an element shows: asked whenever it changes, so that waiting costs the page nothing.
window.mutated_ = (element, isDone) => new Promise((done, fail) => {
  const observer = new MutationObserver(() => isDone() && end(done));
  const timer = setTimeout(() => end(() => fail(new Error("60 s are over"))), 60000);
  const end = (how) => { observer.disconnect(); clearTimeout(timer); how(); };
  observer.observe(element, { subtree: true, childList: true, characterData: true, attributes: true });
});
// When the frame that shows the present state has been handed over.
window.painted_ = () => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))));
"""


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """`runyard ui` of this home; its address."""
    port = free_port()
    process = start(home, port)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        end(process)


def free_port() -> int:
    """One that the system has just handed out."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(home: Path, port: int) -> "subprocess.Popen[str]":
    """The server, answering."""
    source = Path(__file__).parents[1] / "src"
    environment = os.environ | {"RUNYARD_HOME": str(home), "PYTHONPATH": str(source), "COLUMNS": "200"}
    command = [sys.executable, "-m", "runyard.cli.main", "ui", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if f":{port}/" in line:
            return process
    raise SystemExit(f"The server ended at once: {seen}")


def end(process: "subprocess.Popen[str]") -> None:
    """Stop a server and wait for its end."""
    process.terminate()
    assert process.stdout is not None
    process.stdout.close()
    process.wait(30)


@contextmanager
def browsing() -> "Iterator[Browser]":
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright  # here, so that --help needs no browser

    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        raise SystemExit("Chromium is missing. Install it: apt-get install chromium")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


def a_page(browser: "Browser", scripts: str = "") -> "Page":
    """A page with an empty cache whose clocks run; errors of the page end the benchmark."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(CLOCKS + scripts)
    return page


def repeated(measure: Callable[[int], float], times: int) -> list[float]:
    """As often as asked, after one call that warms up."""
    measure(-1)
    return [measure(number) for number in range(times)]


def show(what: str, took: list[float], goal: str, unit: str = "ms") -> None:
    """Median and worst beside the goal, and how busy the machine was."""
    spread = f"worst {max(took):8.1f}" if len(took) > 1 else ""
    load = os.getloadavg()[0]
    print(f"{what:58} {median(took):8.1f} {unit}   {spread:16} {goal:22} load {load:.1f}", flush=True)


def show_motion(what: str, found: dict[str, Any], goal: str) -> None:
    """Frames a second, the slow ones among them, and long tasks."""
    tasks = sorted(found["tasks"], reverse=True)
    long = f"{len(tasks)} tasks > 50 ms" + (f" (to {tasks[0]:.0f} ms)" if tasks else "")
    slow = f"99 % of frames ≤ {found['p99']:.0f} ms, worst {found['worst']:.0f} ms"
    print(f"{what:58} {found['fps']:8.1f} /s   {slow}; {long}   {goal}   load {os.getloadavg()[0]:.1f}", flush=True)
