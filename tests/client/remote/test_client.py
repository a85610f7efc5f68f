"""The door to a server opens like the door to a home: the same questions have the same answers."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from runyard.client.remote import RemoteClient, spool
from runyard.client.remote.transport import MSGPACK, Transport
from runyard.client.remote.wire import encode
from runyard.errors import LeaseLost, NotFound, QueryError, RunFinished, ServerAway, ServiceError, UsageError
from runyard.journal import HOST, MAIN, JournalWriter
from runyard.journal.events import Ended, Media, Started
from runyard.journal.pieces import Piece
from runyard.queue import Capacity, WorkerRow
from runyard.records import CodeState, RunState, WorkerId
from runyard.server.pacing import FIRST_S
from runyard.servers import Server
from tests.cli.builders import Yard
from tests.client.travelling import a_piece, a_spec, host, rows
from tests.server.serving import Served

ROOM = Capacity(cpu_slots=1, all_cpu_slots=1)
ME = WorkerId("me")


@pytest.fixture
def full(served: Served) -> Yard:
    """Some runs in the server's home."""
    yard = Yard(served.path)
    yard.run(name="good", config={"lr": 0.1}, metrics={"loss": [3, 2, float("nan")]}, files={"model.bin": b"weights"})
    yard.run(name="bad", config={"lr": 0.2}, metrics={"loss": [9, float("inf")]}, state=RunState.FAILED, reason="oh")
    yard.run(name="waiting", state=RunState.QUEUED)
    return yard


# ---- asking ----


def test_runs_are_the_same_here_and_there(full: Yard, client: RemoteClient) -> None:
    for query in (None, "config.lr > 0.15", 'state == "QUEUED"', 'metric["loss"].last > 1'):
        assert repr(client.index.find(query)) == repr(full.client.index.find(query))
        assert client.index.count(query) == full.client.index.count(query)


def test_everything_about_a_run_is_the_same_here_and_there(full: Yard, client: RemoteClient) -> None:
    here, there = full.client.index, client.index
    for row in here.find():
        assert there.keys(row.id) == here.keys(row.id)
        assert there.artifacts(row.id) == here.artifacts(row.id)
        assert there.media(row.id) == here.media(row.id)
        assert there.failure(row.id) == here.failure(row.id)
        assert there.environment(row.id, 1) == here.environment(row.id, 1)
        assert there.resolve(row.name) == row.id
        assert client.spec(row.id) == full.client.spec(row.id)


def test_curves_are_the_same_here_and_there(full: Yard, client: RemoteClient) -> None:
    ids = [row.id for row in full.client.index.find()]
    here, there = full.client.index.series_many(ids, "loss"), client.index.series_many(ids, "loss")

    assert here.keys() == there.keys()
    for run_id, series in here.items():
        for name in ("steps", "values", "times", "attempts"):
            np.testing.assert_array_equal(getattr(series, name), getattr(there[run_id], name))
        bucketed = client.index.bucketed(run_id, "loss", 1)
        np.testing.assert_array_equal(bucketed.counts, [len(series)])


def test_more_runs_than_a_page_holds_are_all_found(
    full: Yard, client: RemoteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.client.remote.index.PAGE", 2)

    assert [row.name for row in client.index.find(sort="created_at")] == ["good", "bad", "waiting"]
    assert len(client.index.find(limit=1)) == 1


def test_errors_are_the_same_here_and_there(full: Yard, client: RemoteClient) -> None:
    done = full.client.index.find('name == "good"')[0].id

    with pytest.raises(NotFound, match="There is no run"):
        client.index.get("nobody0000")
    with pytest.raises(QueryError):
        client.index.find("config.lr <")
    with pytest.raises(RunFinished, match="has ended already"):
        client.request_stop(done)
    with pytest.raises(LeaseLost):
        client.heartbeat(done, "me", 1)
    with pytest.raises(NotFound):
        client.artifacts.path("0" * 64)


def test_what_people_change_is_changed_there(full: Yard, client: RemoteClient) -> None:
    run_id = full.client.index.find('name == "good"')[0].id

    client.tag(run_id, add=["fine"])
    client.note(run_id, "look at this")
    client.rename(run_id, "better")
    changed = full.client.index.get(run_id)
    client.trash([run_id])
    trashed = full.client.index.get(run_id).trashed
    client.restore([run_id])

    assert (changed.tags, changed.note, changed.name) == (("fine",), "look at this", "better")
    assert trashed
    assert not full.client.index.get(run_id).trashed


def test_a_run_is_read_from_a_copy(full: Yard, client: RemoteClient) -> None:
    row = full.client.index.find('name == "good"')[0]

    copy = client.folder(row.id)

    original = full.client.folder(row.id)
    for stream in (MAIN, HOST):
        assert copy.attempt(1).journal(stream).read_bytes() == original.attempt(1).journal(stream).read_bytes()
    assert copy.path.is_relative_to(client.home.path)


def test_a_copy_grows_with_its_original(full: Yard, client: RemoteClient) -> None:
    run_id = full.client.index.find('name == "good"')[0].id
    client.folder(run_id)
    full.client.tag(run_id, add=["later"])

    assert client.folder(run_id).edits.read_bytes() == full.client.folder(run_id).edits.read_bytes()


def test_a_file_is_fetched_once_and_checked(full: Yard, client: RemoteClient) -> None:
    (file,) = full.client.index.artifacts(full.client.index.find('name == "good"')[0].id)

    path = client.artifacts.path(file.sha256)

    assert path.read_bytes() == b"weights"
    assert path.is_relative_to(client.home.path)
    full.client.artifacts.delete(file.sha256)
    assert client.artifacts.path(file.sha256).read_bytes() == b"weights"


# ---- working ----


def test_a_queued_run_is_claimed_executed_and_delivered(client: RemoteClient, served: Served, tmp_path: Path) -> None:
    spec = a_spec(is_queued=True)
    client.submit([spec])
    client.queue.see_worker(
        WorkerRow(
            worker_id=ME, host="ws7", user="anna", pid=1, home="/elsewhere", slots=("cpu-0",), seen_at=time.time()
        )
    )

    lease = client.queue.claim_next(ME, ROOM, now=0.0)
    assert lease is not None
    folder = client.home.run(client.receive(lease.run_id).id)
    client.heartbeat(spec.id, ME, 1)
    client.deliver([a_piece(spec.id, rows(tmp_path, spec.id, range(5)))])
    running = client.index.get(spec.id)
    client.deliver([a_piece(spec.id, host(tmp_path, spec.id, state=RunState.COMPLETED), stream=HOST)])
    client.attempt_ended(spec.id)

    assert folder.spec.exists()
    assert running.summary["loss"].count == 5
    assert client.index.get(spec.id).state == RunState.COMPLETED
    assert client.queue.rows() == []
    assert served.client.queue.rows() == []


@pytest.mark.parametrize("project", ["weld-seam", "../../etc", "Schweißnaht", "a" * 200])
def test_a_run_whose_project_is_not_here_works_in_a_folder_of_its_own(client: RemoteClient, project: str) -> None:
    spec = a_spec(is_queued=True, project=project, project_dir="/nowhere/at/all")
    client.submit([spec])

    received = client.receive(spec.id)

    folder = Path(received.project_dir)
    assert folder.is_dir()
    assert folder.parent == client.home.path / "work"
    assert client.spec(spec.id) == received


def test_a_lease_that_was_given_to_another_is_lost(client: RemoteClient, served: Served) -> None:
    spec = a_spec(is_queued=True)
    client.submit([spec])
    client.queue.claim_next(ME, ROOM, now=0.0)

    served.client.reap(time.time() + 1000)

    with pytest.raises(LeaseLost):
        client.heartbeat(spec.id, ME, 1)
    again = client.queue.claim_next(WorkerId("other"), ROOM, now=0.0)
    assert again is not None
    assert again.attempt == 2


def test_the_journal_of_an_attempt_that_lost_its_lease_is_kept(
    client: RemoteClient, served: Served, tmp_path: Path
) -> None:
    spec = a_spec(is_queued=True)
    client.submit([spec])
    client.queue.claim_next(ME, ROOM, now=0.0)
    client.deliver([a_piece(spec.id, rows(tmp_path, spec.id, range(5)))])
    client.deliver([a_piece(spec.id, host(tmp_path, spec.id), stream=HOST)])
    served.client.reap(time.time() + 1000)
    client.queue.claim_next(WorkerId("other"), ROOM, now=0.0)
    ended = host(tmp_path, spec.id, attempt=2, state=RunState.COMPLETED)
    client.deliver([a_piece(spec.id, ended, attempt=2, stream=HOST)])

    client.deliver([a_piece(spec.id, rows(tmp_path, spec.id, range(5, 9)))])

    assert len(client.index.series(spec.id, "loss", attempt=1)) == 9
    assert client.index.get(spec.id).attempt == 2
    assert client.index.get(spec.id).state == RunState.COMPLETED


def test_a_stop_that_somebody_asks_for_reaches_the_machine(
    client: RemoteClient, served: Served, tmp_path: Path
) -> None:
    spec = a_spec(is_queued=True)
    client.submit([spec])
    client.queue.claim_next(ME, ROOM, now=0.0)
    client.receive(spec.id)
    client.deliver([a_piece(spec.id, host(tmp_path, spec.id), stream=HOST)])
    served.client.request_stop(spec.id, why="enough")

    client.deliver([a_piece(spec.id, rows(tmp_path, spec.id, range(2)))])

    assert client.home.run(spec.id).edits.read_bytes() == served.client.folder(spec.id).edits.read_bytes()


def test_code_and_files_come_with_the_run(client: RemoteClient, served: Served, tmp_path: Path) -> None:
    from runyard.project.snapshot import materialise, take

    project = tmp_path / "weld"
    (project / "src").mkdir(parents=True)
    (project / "src" / "train.py").write_text("print('hello')")
    snapshot = take(project, client.artifacts)

    client.submit([a_spec(is_queued=True, code=CodeState(snapshot=snapshot.id))])

    laid_out = materialise(snapshot.id, served.client.artifacts, served.client.home)
    assert (laid_out / "src" / "train.py").read_text() == "print('hello')"
    assert client.artifacts.waiting() == []


def test_large_files_come_in_parts(client: RemoteClient, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.client.remote.artifacts.PART_BYTES", 1000)
    sha256 = client.artifacts.put_bytes(bytes(range(256)) * 20)

    turns = 1
    while not client.bring_files():
        turns += 1

    assert turns >= 6
    assert served.client.artifacts.path(sha256).read_bytes() == bytes(range(256)) * 20


# ---- a server that is away ----


def test_a_run_that_starts_here_needs_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = away(tmp_path, monkeypatch)
    spec = a_spec()

    client.submit([spec])

    assert client.home.run(spec.id).spec.exists()
    assert client.spec(spec.id) == spec


def test_a_run_for_the_queue_needs_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = away(tmp_path, monkeypatch)

    with pytest.raises(ServerAway, match="cannot be reached"):
        client.submit([a_spec(is_queued=True)])


def test_what_was_done_without_the_server_arrives_when_it_is_back(client: RemoteClient, served: Served) -> None:
    spec = a_spec()
    client._make_folder(spec)  # as `submit` does it while nobody answers
    attempt = client.home.run(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    journal = JournalWriter(attempt.journal(MAIN), run=spec.id, attempt=1, stream=MAIN)
    schema = journal.declare(("loss",))
    for step in range(7):
        journal.append(schema.encode(step, time.time_ns(), (1.0,)))
    journal.event(Media(time_ns=time.time_ns(), key="picture", step=1, kind="image", mime="image/png", data=b"png"))
    supervisor = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    supervisor.event(Started(time_ns=time.time_ns(), host="ws7", user="anna", pid=1))
    supervisor.event(Ended(time_ns=time.time_ns(), state=RunState.COMPLETED))
    sha256 = client.artifacts.put_bytes(b"a model")
    on_its_way = spool.left(client)

    spool.sync(client)
    spool.sync(client)

    assert [each.run_id for each in on_its_way] == [spec.id]
    assert spool.left(client) == []
    row = served.client.index.get(spec.id)
    assert (row.state, row.summary["loss"].count) == (RunState.COMPLETED, 7)
    assert len(served.client.index.media(spec.id)) == 1
    assert served.client.artifacts.path(sha256).read_bytes() == b"a model"


def test_a_record_that_is_larger_than_a_piece_arrives_whole(client: RemoteClient, served: Served) -> None:
    spec = a_spec()
    client.submit([spec])
    attempt = client.home.run(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    journal = JournalWriter(attempt.journal(MAIN), run=spec.id, attempt=1, stream=MAIN)
    picture = bytes(range(256)) * (5 << 12)
    journal.event(Media(time_ns=time.time_ns(), key="large", step=1, kind="image", mime="image/png", data=picture))
    journal.close()
    supervisor = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    supervisor.event(Ended(time_ns=time.time_ns(), state=RunState.COMPLETED))
    supervisor.close()

    spool.sync(client)

    assert spool.left(client) == []
    kept = served.client.folder(spec.id).attempt(1).journal(MAIN)
    assert kept.read_bytes() == attempt.journal(MAIN).read_bytes()


def test_an_attempt_whose_supervisor_was_killed_is_told_to_have_ended(client: RemoteClient, served: Served) -> None:
    spec = a_spec(is_queued=True)
    client.submit([spec])
    client.queue.claim_next(ME, ROOM, now=0.0)
    client.receive(spec.id)
    attempt = client.home.run(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    supervisor = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    supervisor.event(Started(time_ns=time.time_ns(), host="ws7", user="anna", pid=1))
    supervisor.close()

    told = spool.sync(client)

    assert told == [spec.id]
    row = served.client.index.get(spec.id)
    assert row.state == RunState.QUEUED
    assert "its supervisor was ended" in row.reason
    waiting = served.client.queue.row(spec.id)
    assert waiting is not None
    assert (waiting.state, waiting.attempt) == ("waiting", 1)


def test_an_attempt_that_is_supervised_is_left_to_its_supervisor(client: RemoteClient) -> None:
    import fcntl

    spec = a_spec()
    client.submit([spec])
    attempt = client.home.run(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    supervisor = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    supervisor.event(Started(time_ns=time.time_ns(), host="ws7", user="anna", pid=1))
    fcntl.flock(supervisor.fd, fcntl.LOCK_EX)

    assert spool.sync(client) == []
    assert [each.is_executing for each in spool.left(client)] == [True]


def test_a_run_of_which_nothing_is_heard_is_lost_until_it_is_heard_again(
    client: RemoteClient, served: Served, tmp_path: Path
) -> None:
    spec = a_spec()
    client.submit([spec])
    client.deliver([a_piece(spec.id, host(tmp_path, spec.id), stream=HOST)])

    served.client.reap(time.time() + 1000)
    silent = served.client.index.get(spec.id)
    client.deliver([a_piece(spec.id, rows(tmp_path, spec.id, range(3)))])
    heard = served.client.index.get(spec.id)

    assert silent.state == RunState.LOST
    assert "nothing was heard" in silent.reason
    assert heard.state == RunState.RUNNING


def test_pieces_of_a_run_that_the_server_does_not_know_make_it_known(
    client: RemoteClient, served: Served, tmp_path: Path
) -> None:
    spec = a_spec()
    client._make_folder(spec)
    data = rows(tmp_path, spec.id, range(3))

    (receipt,) = client.deliver([Piece(spec.id, 1, MAIN, 0, data)])

    assert receipt.offset == len(data)
    assert served.client.index.get(spec.id).name == spec.name


class Answering(http.server.BaseHTTPRequestHandler):
    """What is no Runyard server."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(handler: type[Answering]) -> Iterator[int]:
    """The port of a server that answers like this."""
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield other.server_port
    finally:
        other.shutdown()
        other.server_close()


def test_a_server_that_is_none_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(Answering) as port:
        client = away(tmp_path, monkeypatch, port=port)
        with pytest.raises((ServerAway, UsageError), match="Is it a Runyard server"):
            client.index.count()


@pytest.mark.parametrize(
    ("told", "rest_s"),
    [("0.25", 0.25), ("0", 0.0), ("-3", 0.0), ("1e9", 60.0), ("nan", 1.5), ("soon", 1.5), ("", 1.5), (None, 1.5)],
)
def test_a_machine_rests_as_long_as_the_server_asks(told: str | None, rest_s: float, tmp_path: Path) -> None:
    class Resting(Answering):
        def do_GET(self) -> None:
            self.send_response(200)
            if told is not None:
                self.send_header("X-Runyard-Rest", told)
            self.end_headers()
            self.wfile.write(b"\xc0")  # nothing, as MessagePack

    with answering(Resting) as port:
        transport = Transport(Server(f"http://127.0.0.1:{port}"))
        transport.ask("/anything", type(None))
        transport.close()
        assert transport.rest_s == rest_s


@pytest.mark.parametrize("stream", ["../../../evil", "/tmp/evil", "main.journal/x", "", "x" * 300])
def test_a_server_cannot_name_a_place_outside_of_the_copy(
    stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = a_spec()

    class Hostile(Answering):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(encode(spec))

        def do_GET(self) -> None:
            self.answer(encode([(1, stream, 3)]) if self.path.endswith("/journals") else b"123")

        def answer(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", MSGPACK)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with answering(Hostile) as port:
        client = away(tmp_path, monkeypatch, port=port)
        with pytest.raises(ServiceError, match="no name of one"):
            client.folder(spec.id)
        client.close()

    assert [path for path in tmp_path.rglob("*.journal") if path.is_file()] == []


def test_a_server_tells_how_long_to_rest(client: RemoteClient, served: Served, tmp_path: Path) -> None:
    spec = a_spec()
    served.client.announce([spec])
    before = client.rest_s

    client.deliver([Piece(spec.id, 1, MAIN, 0, rows(tmp_path, spec.id, range(3)))])

    assert client.rest_s != before
    assert FIRST_S * 0.7 < client.rest_s < FIRST_S * 1.3


def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, port: int = 9) -> RemoteClient:
    """A machine whose server does not answer: nobody listens at the port."""
    from runyard.client import open_client

    monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "machine"))
    client = open_client()
    assert isinstance(client, RemoteClient)
    return client
