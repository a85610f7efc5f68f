"""Changes through the one door: queue and index say the same, before and after a reindex."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from runyard.client import Client, open_client
from runyard.errors import NotFound, RunFinished, UsageError
from runyard.journal.events import Noted
from runyard.queue import Capacity
from runyard.records import RunId, RunSpec, WorkerId
from tests.client.test_reaper import begin, claim
from tests.client.test_submission import some_runs

ROOM = Capacity(cpu_slots=1, all_cpu_slots=1)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        client.refresh()
        yield client


def submitted(client: Client, count: int = 1) -> list[RunId]:
    runs: list[RunSpec] = some_runs(count)
    client.submit(runs)
    return [run.id for run in runs]


def order(client: Client) -> list[tuple[str, str, int, float]]:
    """The queue as it stands."""
    return [(row.run_id, row.state, row.priority, row.position) for row in client.queue.rows()]


def agrees_after_a_reindex(client: Client) -> bool:
    before = order(client)
    client.reindex()
    return order(client) == before


def test_a_database_belongs_to_one_home(tmp_path: Path, database_url: str | None) -> None:
    place = database_url or str(tmp_path / "elsewhere.db")
    open_client(tmp_path / "home", database=place).close()
    open_client(tmp_path / "home", database=place).close()

    with pytest.raises(UsageError, match="belongs to another home"):
        open_client(tmp_path / "other", database=place)


def test_a_waiting_run_is_cancelled(client: Client) -> None:
    (run_id,) = submitted(client)

    said = client.request_stop(run_id, why="no need", by="anna")

    assert "taken out of the queue" in said
    assert client.index.get(run_id).reason == "stopped by anna: no need"
    assert order(client) == []
    with pytest.raises(RunFinished, match="STOPPED"):
        client.request_stop(run_id)


def test_a_run_that_is_claimed_and_not_begun_is_cancelled_for_its_worker_to_see(client: Client) -> None:
    (run_id,) = submitted(client)
    claim(client, pid=os.getpid(), now=time.time())

    client.request_stop(run_id)

    assert client.index.get(run_id).state == "STOPPED"
    assert client.queue.row(run_id) is None or client.queue.claim_next(WorkerId("w"), ROOM, now=0.0) is None


def test_a_running_run_is_asked_to_stop_and_goes_on_until_it_obeys(client: Client) -> None:
    (run_id,) = submitted(client)
    claim(client, pid=os.getpid(), now=time.time())
    begin(client, run_id)

    said = client.request_stop(run_id, by="anna")

    assert "was asked to stop" in said
    assert (client.index.get(run_id).state, client.index.get(run_id).reason) == ("RUNNING", "asked to stop by anna")


def test_only_what_has_ended_is_tried_again(client: Client) -> None:
    (run_id,) = submitted(client)
    with pytest.raises(RunFinished, match="QUEUED"):
        client.retry(run_id)
    client.request_stop(run_id)

    client.retry(run_id)

    assert client.index.get(run_id).state == "QUEUED"
    assert agrees_after_a_reindex(client)


def test_a_run_of_a_terminal_that_is_tried_again_stays_in_the_queue_through_a_reindex(client: Client) -> None:
    (spec,) = some_runs(1)
    (run,) = [RunSpec(id=spec.id, project="weld", name="here", created_at=spec.created_at)]
    client.submit([run])
    begin(client, run.id)
    client.reap(time.time())
    assert client.index.get(run.id).state == "INTERRUPTED"

    client.retry(run.id)

    assert [row[:2] for row in order(client)] == [(run.id, "waiting")]
    assert agrees_after_a_reindex(client)


def test_priority_and_place_outlive_a_retry(client: Client) -> None:
    first, second, third = submitted(client, 3)
    client.set_priority(second, 4)
    client.place(client.queue.to_top(third))
    before = order(client)

    for run_id in (second, third):
        client.request_stop(run_id)
        client.retry(run_id)

    assert order(client) == before
    assert agrees_after_a_reindex(client)
    assert order(client)[-1][0] == first


def test_held_runs_stay_held_through_a_reindex_and_are_released_to_their_place(client: Client) -> None:
    runs = submitted(client, 3)

    assert client.hold(runs[:2], why="lunch", by="anna") == 2
    assert [row.held_reason for row in client.queue.rows()] == ["lunch", "lunch", None]
    assert agrees_after_a_reindex(client)

    assert client.release(runs) == 3
    assert [row[:2] for row in order(client)] == [(run_id, "waiting") for run_id in runs]
    assert agrees_after_a_reindex(client)


def test_what_does_not_wait_has_no_priority(client: Client) -> None:
    (run_id,) = submitted(client)
    client.request_stop(run_id)

    with pytest.raises(NotFound, match="not in the queue"):
        client.set_priority(run_id, 3)


@pytest.mark.parametrize("torn", [b"\x05", b"\x04\0\0\0\xff\0\0\0half a record", b"\0" * 4096])
def test_an_edit_behind_a_torn_tail_is_read_and_the_tail_is_kept(client: Client, torn: bytes) -> None:
    (run_id,) = submitted(client)
    client.note(run_id, "first")
    edits = client.folder(run_id).edits
    with edits.open("ab") as file:
        file.write(torn)

    client.tag(run_id, add=["behind"])

    row = client.index.get(run_id)
    assert (row.note, row.tags) == ("first", ("behind",))
    assert edits.with_name("edits.journal.torn").read_bytes().startswith(torn)
    client.reindex()
    assert client.index.get(run_id).tags == ("behind",)


@pytest.mark.parametrize("content", [b"", b"RUN", b"no journal at all"])
def test_edits_that_do_not_begin_like_a_journal_are_put_aside(client: Client, content: bytes) -> None:
    (run_id,) = submitted(client)
    edits = client.folder(run_id).edits
    edits.write_bytes(content)

    client.edit(run_id, Noted(time_ns=1, text="new"))

    assert client.index.get(run_id).note == "new"


def test_a_long_queue_in_which_nothing_happened_costs_a_few_statements(client: Client) -> None:
    submitted(client, 60)
    client.refresh()
    statements: list[str] = []
    event.listen(client.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    client.refresh()

    assert 0 < len(statements) < 30, statements
