"""Live events: what changed, soon, and nothing else."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runyard.client import Client
from runyard.journal import MAIN, JournalWriter
from runyard.records import RunId, RunSpec, new_run_id
from tests.server.serving import Served


class Page:
    """A page that listens."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()

    def wait(self, run_id: str | None = None, *, within_s: float = 60.0, **wanted: bool) -> float:
        """The time at which an event names the run and has the flags."""
        deadline = time.monotonic() + within_s
        while True:
            at, changed = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            is_named = run_id is None or run_id in changed["runs"]
            if is_named and all(changed[name] is value for name, value in wanted.items()):
                return at


@contextmanager
def listening(served: Served) -> Iterator[Page]:
    page = Page()
    is_open = threading.Event()

    def listen() -> None:
        with served.http.stream("GET", "/api/v1/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                is_open.set()
                if line.startswith("data: "):
                    page.events.put((time.monotonic(), json.loads(line.removeprefix("data: "))))
                if is_over.is_set():
                    return

    is_over = threading.Event()
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert is_open.wait(60)
    wait_for_look(served)
    try:
        yield page
    finally:
        is_over.set()
        served.app.state.watcher.note(["the end"])
        thread.join(10)


def wait_for_look(served: Served) -> None:
    """Until the watcher has something to compare with."""
    served.app.state.watcher.look()


def test_a_row_that_training_appends_is_told_to_a_page_that_listens(served: Served, elsewhere: Client) -> None:
    run = elsewhere.index.find('state == "RUNNING"', limit=1)[0]
    attempt = elsewhere.folder(run.id).attempt(run.attempt)
    with listening(served) as page:
        journal = JournalWriter(attempt.journal(MAIN), run=run.id, attempt=run.attempt, stream=MAIN)
        schema = journal.declare(("fresh",))

        journal.append(schema.encode(1, time.time_ns(), (1.5,)))
        page.wait(run.id)
        journal.close()

    assert served.get(f"/runs/{run.id}")["summary"]["fresh"]["last"] == 1.5


def test_changes_of_other_commands_are_told(served: Served, elsewhere: Client) -> None:
    waiting = elsewhere.index.find('state == "QUEUED"', limit=1)[0].id
    completed = elsewhere.index.find('state == "COMPLETED"', limit=1)[0].id
    with listening(served) as page:
        elsewhere.hold([waiting], why="later")
        page.wait(waiting, queue=True)

        elsewhere.note(completed, "what nobody watches")
        page.wait(everything=True)

        elsewhere.queue.pause("weld-seam", by="anna", now=time.time())
        page.wait(queue=True)


def test_a_new_run_is_told(served: Served, elsewhere: Client) -> None:
    spec = RunSpec(
        id=new_run_id(), project="weld-seam", name="new", created_at=elsewhere.index.find(limit=1)[0].created_at,
        is_queued=True,
    )  # fmt: skip
    with listening(served) as page:
        elsewhere.submit([spec])
        page.wait(spec.id, queue=True)


def test_a_change_through_the_server_is_told(served: Served, one: RunId) -> None:
    with listening(served) as page:
        served.send("PATCH", f"/runs/{one}", {"note": "x"})
        page.wait(one)


def test_an_idle_home_is_quiet(served: Served) -> None:
    with listening(served) as page:
        page.wait(machines=True)  # at first the slots are news
        with pytest.raises(queue.Empty):
            page.wait(within_s=1.5, everything=True)


def test_a_page_that_leaves_is_forgotten(served: Served) -> None:
    with listening(served):
        assert len(served.app.state.watcher._listeners) == 1
    deadline = time.monotonic() + 60
    while served.app.state.watcher._listeners:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_at_most_four_events_a_second(served: Served, one: RunId) -> None:
    with listening(served) as page:
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            served.app.state.watcher.note([one])
            time.sleep(0.005)
        page.wait(one)
        took_s = time.monotonic() - began

    assert page.events.qsize() <= 4 * took_s + 2


def test_without_listeners_an_answer_is_fresh_all_the_same(served: Served, elsewhere: Client) -> None:
    run = elsewhere.index.find('state == "RUNNING"', limit=1)[0]
    attempt = elsewhere.folder(run.id).attempt(run.attempt)
    journal = JournalWriter(attempt.journal(MAIN), run=run.id, attempt=run.attempt, stream=MAIN)
    schema = journal.declare(("fresh",))
    journal.append(schema.encode(1, time.time_ns(), (2.5,)))
    journal.close()

    deadline = time.monotonic() + 60
    while "fresh" not in served.get(f"/runs/{run.id}")["summary"]:
        assert time.monotonic() < deadline
