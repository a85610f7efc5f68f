"""Whole runs go from the home of a machine to a server and back, once, and never into a queue."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runyard.client import Client, open_client
from runyard.client.care import verify
from runyard.client.remote import RemoteClient
from runyard.client.remote.carrying import pull, push
from runyard.errors import ConflictError, NotFound
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.journal import EDITS, HOST, MAIN, Home
from runyard.journal.events import Ended
from runyard.project.snapshot import materialise, take
from runyard.records import CodeState, RunState
from tests.cli.builders import Yard
from tests.client.travelling import a_piece
from tests.server.serving import Served

WORDS = ("name", "tags", "note")
FACTS = ("id", "project", "state", "reason", "attempt", "summary", "config", "started_at", "ended_at", "duration_s")


@pytest.fixture
def yard(client: RemoteClient, tmp_path: Path) -> Iterator[Yard]:
    """The home of the machine itself, beside what it executes for the server."""
    yard = Yard(Home.of_machine().path)
    with closing(yard.client):
        yield yard


def a_full_run(yard: Yard, tmp_path: Path) -> RunRow:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "train.py").write_text("print('hi')\n")
    snapshot = take(project, yard.client.artifacts)
    code = CodeState(snapshot=snapshot.id, code_id=snapshot.code_id)
    row = yard.run(
        name="full", metrics={"loss": [3.0, 1.0]}, output="hello\n", files={"m": b"w" * 3000}, code=code, tags=("a",)
    )
    yard.client.tag(row.id, add=["paper"], remove=["a"])
    yard.client.rename(row.id, "better")
    yard.client.note(row.id, "look at this")
    return yard.client.index.get(row.id)


def same(first: Client, second: Client, run_id: str, names: tuple[str, ...] = FACTS + WORDS) -> bool:
    one, other = first.index.get(run_id), second.index.get(run_id)
    return {name: getattr(one, name) for name in names} == {name: getattr(other, name) for name in names}


def test_a_pushed_run_is_there_whole(client: RemoteClient, served: Served, yard: Yard, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)

    done = push(yard.client, client, row.id)

    assert (done.is_new, done.state) == (True, RunState.COMPLETED)
    assert same(yard.client, served.client, row.id)
    here, there = yard.client.folder(row.id), served.client.folder(row.id)
    for stream in (MAIN, HOST):
        assert here.attempt(1).journal(stream).read_bytes() == there.attempt(1).journal(stream).read_bytes()
    assert served.client.artifacts.sizes() == yard.client.artifacts.sizes()
    assert row.code.snapshot
    assert (materialise(row.code.snapshot, served.client.artifacts, served.client.home) / "src/train.py").is_file()
    assert verify(served.client, now=time.time()).problems == []


def test_pushing_twice_changes_nothing(client: RemoteClient, served: Served, yard: Yard, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    push(yard.client, client, row.id)
    edits = served.client.folder(row.id).edits.read_bytes()

    again = push(yard.client, client, row.id)

    assert (again.is_new, again.sent_bytes) == (False, 0)
    assert served.client.folder(row.id).edits.read_bytes() == edits
    assert served.client.index.count() == 1


def test_what_a_colleague_wrote_there_stays(client: RemoteClient, served: Served, yard: Yard, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    push(yard.client, client, row.id)
    served.client.rename(row.id, "theirs")
    served.client.note(row.id, "theirs")
    served.client.tag(row.id, add=["theirs"])
    yard.client.tag(row.id, add=["new"])

    push(yard.client, client, row.id)

    there = served.client.index.get(row.id)
    assert (there.name, there.note, there.tags) == ("theirs", "theirs", ("new", "paper", "theirs"))


def test_a_push_that_was_broken_off_is_gone_on_with(client: RemoteClient, served: Served, yard: Yard) -> None:
    row = yard.run(metrics={"loss": [float(step) for step in range(100)]})
    half = yard.client.folder(row.id).attempt(1).journal(MAIN).read_bytes()[:1000]
    client.announce([yard.client.spec(row.id)], into_queue=False)
    client.deliver([a_piece(row.id, half)])
    known = served.client.index.offset(row.id, 1, MAIN)

    done = push(yard.client, client, row.id)

    size = sum(yard.client.folder(row.id).attempt(1).journal(stream).stat().st_size for stream in (MAIN, HOST))
    assert done.sent_bytes == size - known < size
    assert same(yard.client, served.client, row.id)


def test_a_run_whose_files_are_gone_does_not_begin_to_travel(
    client: RemoteClient, served: Served, yard: Yard, tmp_path: Path
) -> None:
    row = a_full_run(yard, tmp_path)
    (file,) = yard.client.index.artifacts(row.id)
    yard.client.artifacts.delete(file.sha256)

    with pytest.raises(NotFound):
        push(yard.client, client, row.id)

    assert served.client.index.count() == 0


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.FAILED, RunState.INTERRUPTED])
def test_a_run_that_had_been_queued_does_not_wait_there(
    client: RemoteClient, served: Served, yard: Yard, state: RunState
) -> None:
    row = yard.run(is_queued=True, state=state, retries=0, metrics={"loss": [1.0]}, reason="oh")

    push(yard.client, client, row.id)

    assert same(yard.client, served.client, row.id)
    assert served.client.queue.rows() == []
    served.client.reindex()
    assert served.client.queue.rows() == []
    assert served.client.index.get(row.id).state == state


def test_an_end_that_only_edits_tell_arrives(client: RemoteClient, served: Served, yard: Yard) -> None:
    row = yard.run(state=None, is_queued=True, retries=0, metrics={"loss": [1.0]})
    end = Ended(time_ns=time.time_ns(), state=RunState.INTERRUPTED, reason="the power was cut", attempt=1)
    yard.client.edit(row.id, end)

    push(yard.client, client, row.id)
    push(yard.client, client, row.id)

    there = served.client.index.get(row.id)
    assert (there.state, there.reason) == (RunState.INTERRUPTED, "the power was cut")
    assert served.client.queue.rows() == []


def test_ends_of_all_attempts_arrive_so_that_no_retry_is_left(client: RemoteClient, served: Served, yard: Yard) -> None:
    row = yard.run(state=None, is_queued=True, retries=1, metrics={"loss": [1.0]})
    folder = yard.client.folder(row.id)
    for number in (1, 2):
        if number == 2:
            folder.attempt(2).path.mkdir()
            one = yard.run(state=None, id="00000000aa").id
            data = yard.client.folder(one).attempt(1).journal(HOST).read_bytes()
            _write_as(folder.attempt(2).journal(HOST), data, row.id)
        why = f"the power was cut for the {number}. time"
        end = Ended(time_ns=time.time_ns(), state=RunState.INTERRUPTED, reason=why, attempt=number)
        yard.client.edit(row.id, end)
    assert yard.client.index.get(row.id).state == RunState.INTERRUPTED

    push(yard.client, client, row.id)

    assert same(yard.client, served.client, row.id, ("state", "reason", "attempt"))
    assert served.client.queue.rows() == []


def test_a_run_that_was_cancelled_while_it_waited_is_so_there(client: RemoteClient, served: Served, yard: Yard) -> None:
    row = yard.run(state=RunState.QUEUED)
    yard.client.request_stop(row.id, why="no longer needed")

    push(yard.client, client, row.id)

    there = served.client.index.get(row.id)
    assert there.state == RunState.STOPPED
    assert "no longer needed" in there.reason
    assert served.client.queue.rows() == []


def test_a_foreground_run_of_the_servers_own_machine_arrives(client: RemoteClient, served: Served, yard: Yard) -> None:
    row = yard.run(host=host_name(), metrics={"loss": [1.0]})

    client.announce([yard.client.spec(row.id)], into_queue=False)
    served.client.reap(time.time() + 1000)
    push(yard.client, client, row.id)

    assert same(yard.client, served.client, row.id)


def test_only_runs_that_ended_travel(client: RemoteClient, served: Served, yard: Yard) -> None:
    running = yard.run(state=None)
    there = Yard(served.path)
    waiting = there.run(state=RunState.QUEUED)

    with pytest.raises(ConflictError, match="is RUNNING; it can travel once it has ended"):
        push(yard.client, client, running.id)
    with pytest.raises(ConflictError, match="is QUEUED"):
        pull(client, yard.client, waiting.id)

    assert served.client.index.known([running.id]) == set()
    there.client.close()


def test_another_run_of_the_same_id_is_left_alone(client: RemoteClient, served: Served, yard: Yard) -> None:
    there = Yard(served.path)
    other = there.run(name="theirs")
    there.client.close()
    yard.run(name="ours", id=other.id)

    with pytest.raises(ConflictError, match="Another run has the id"):
        push(yard.client, client, other.id)
    with pytest.raises(ConflictError, match="Another run has the id"):
        pull(client, yard.client, other.id)

    assert served.client.index.get(other.id) == other


def test_a_pulled_run_is_here_whole_and_needs_no_server(
    client: RemoteClient, served: Served, yard: Yard, tmp_path: Path
) -> None:
    there = Yard(served.path)
    row = a_full_run(there, tmp_path)
    there.client.close()

    done = pull(client, yard.client, row.id)
    again = pull(client, yard.client, row.id)

    assert (done.is_new, again.is_new, again.sent_bytes) == (True, False, 0)
    assert same(yard.client, served.client, row.id)
    assert yard.client.artifacts.sizes() == served.client.artifacts.sizes()
    with closing(open_client(yard.path)) as alone:
        assert alone.index.series(row.id, "loss").values.tolist() == [3.0, 1.0]
        assert verify(alone, now=time.time()).problems == []


def test_what_came_to_the_server_later_is_pulled_later(client: RemoteClient, served: Served, yard: Yard) -> None:
    there = Yard(served.path)
    row = there.run(metrics={"loss": [1.0]})
    pull(client, yard.client, row.id)
    served.client.tag(row.id, add=["later"])
    there.client.close()

    pull(client, yard.client, row.id)

    assert yard.client.index.get(row.id).tags == ("later",)
    assert yard.client.index.offset(row.id, 0, EDITS) > 0


def _write_as(place: Path, data: bytes, run_id: str) -> None:
    """A journal of attempt 2 of a run with the events of another's."""
    from runyard.journal import JournalWriter
    from runyard.journal.reader import Decoder, EventAt

    journal = JournalWriter(place, run=run_id, attempt=2, stream=HOST)
    for item in Decoder().feed(data):
        if isinstance(item, EventAt):
            journal.event(item.event)
    journal.close()
