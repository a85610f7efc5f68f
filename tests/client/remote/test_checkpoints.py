"""Checkpoints of a run that goes on at another machine."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.client import open_client
from runyard.client.remote import RemoteClient
from runyard.errors import ConflictError, NotFound, ServerAway, UsageError
from runyard.journal import HOST, MAIN, JournalWriter, RunFolder
from runyard.journal.events import Ended, Started
from runyard.records import RunState
from tests.client.travelling import a_spec
from tests.server.serving import Served


@pytest.fixture
def other(client: RemoteClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteClient]:
    """A second machine that knows the server."""
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "other"))
    other = open_client()
    assert isinstance(other, RemoteClient)
    yield other
    other.close()


@pytest.fixture
def run(client: RemoteClient) -> RunFolder:
    """A run of which the first machine executes the first attempt."""
    spec = a_spec(is_queued=True)
    client.submit([spec])
    begin(client, spec.id, 1)
    return client.home.run(spec.id)


def begin(client: RemoteClient, run_id: str, number: int) -> None:
    """An attempt begins on a machine, and the server knows."""
    client.receive(run_id)
    attempt = client.home.run(run_id).attempt(number)
    attempt.path.mkdir(parents=True)
    with_host = JournalWriter(attempt.journal(HOST), run=run_id, attempt=number, stream=HOST)
    with_host.event(Started(time_ns=time.time_ns(), host="ws7", user="anna", pid=1))
    with_host.close()
    JournalWriter(attempt.journal(MAIN), run=run_id, attempt=number, stream=MAIN).close()
    deliver(client, run_id, number)


def deliver(client: RemoteClient, run_id: str, number: int) -> None:
    from runyard.client.remote.sending import send

    attempt = client.home.run(run_id).attempt(number)
    for stream in attempt.streams():
        send(client.deliver, attempt, stream, client.offset(run_id, number, stream))


def write(run: RunFolder, **files: bytes) -> None:
    """Checkpoints by name; `__` stands for a folder, as in `step__model`."""
    for name, content in files.items():
        path = run.checkpoints / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def bring(client: RemoteClient, run: RunFolder, attempt: int = 1) -> int:
    """Bring the state of now; how many steps that took."""
    return len(list(client.bring_checkpoints(run.id, attempt)))


def fetch(client: RemoteClient, run: RunFolder, attempt: int = 2) -> dict[str, bytes]:
    for _ in client.fetch_checkpoints(run.id, attempt):
        pass
    return held(client.home.run(run.id).checkpoints)


def test_another_machine_goes_on_with_what_the_first_one_left(
    client: RemoteClient, other: RemoteClient, run: RunFolder
) -> None:
    large = os.urandom(5 << 20)
    write(run, state=b"", step__model=large)
    (run.checkpoints / "last").symlink_to("step/model")
    write(run, **{".draft": b"half"})
    bring(client, run)
    other.receive(run.id)

    found = fetch(other, run)

    assert found == {"state": b"", "step/model": large, "last": large}
    assert os.readlink(other.home.run(run.id).checkpoints / "last") == "step/model"


def test_only_what_changed_is_sent_and_only_the_latest_state_is_kept(
    client: RemoteClient, served: Served, run: RunFolder
) -> None:
    write(run, weights=os.urandom(6 << 20), step=b"1")
    first = bring(client, run)
    write(run, step=b"2")

    second, third = bring(client, run), bring(client, run)

    assert (first > 3, second, third) == (True, 2, 0)
    kept = served.client.brought_checkpoints(run.id)
    assert kept is not None
    assert (kept.attempt, kept.size_bytes) == (1, (6 << 20) + 1)
    inside = held(served.client.folder(run.id).brought)
    assert sum(len(name.rpartition("/")[2]) == 64 for name in inside) == 3  # two files and their manifest


def test_a_state_during_which_a_file_was_written_in_place_does_not_count(
    client: RemoteClient, served: Served, run: RunFolder
) -> None:
    write(run, weights=b"a" * (9 << 20))
    steps = client.bring_checkpoints(run.id, 1)
    next(steps)
    with (run.checkpoints / "weights").open("r+b") as file:
        file.write(b"b")
    try:
        for _ in steps:
            pass
    except ConflictError:
        pass  # its content was not what its name said

    assert served.client.brought_checkpoints(run.id) is None
    bring(client, run)
    assert served.client.brought_checkpoints(run.id) is not None


def test_a_file_that_is_replaced_meanwhile_belongs_to_the_next_state(
    client: RemoteClient, other: RemoteClient, run: RunFolder
) -> None:
    write(run, weights=b"a" * (9 << 20))
    steps = client.bring_checkpoints(run.id, 1)
    next(steps)
    write(run, fresh=b"b")
    os.replace(run.checkpoints / "fresh", run.checkpoints / "weights")
    for _ in steps:
        pass
    other.receive(run.id)

    assert fetch(other, run) == {"weights": b"a" * (9 << 20)}


def test_what_is_too_large_stays_with_a_sentence(
    client: RemoteClient, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path))
    (tmp_path / "machine.toml").write_text("[checkpoints]\nlargest_gb = 0.001\n")
    write(run, weights=bytes(2_000_000))

    with pytest.raises(UsageError, match=r"up to 0\.0 GB are brought"):
        bring(client, run)


def test_an_attempt_that_was_given_to_another_machine_changes_nothing_any_more(
    client: RemoteClient, other: RemoteClient, served: Served, run: RunFolder
) -> None:
    begin(other, run.id, 2)
    write(run, weights=b"old")

    with pytest.raises(ConflictError, match=r"Attempt 2 of run .* came after attempt 1"):
        bring(client, run)
    assert served.client.brought_checkpoints(run.id) is None


def test_a_machine_keeps_its_own_checkpoints_where_they_are_as_new(
    client: RemoteClient, other: RemoteClient, run: RunFolder
) -> None:
    write(run, step=b"1")
    bring(client, run)
    write(run, step=b"2")

    assert fetch(client, run) == {"step": b"2"}

    begin(other, run.id, 2)
    fetch(other, run)
    write(other.home.run(run.id), step=b"3")
    bring(other, run, 2)
    assert fetch(client, run, attempt=3) == {"step": b"3"}


def test_a_fetch_that_is_broken_off_goes_on_where_it_was(
    client: RemoteClient, other: RemoteClient, served: Served, run: RunFolder
) -> None:
    content = os.urandom(9 << 20)
    write(run, weights=content)
    bring(client, run)
    other.receive(run.id)
    steps = other.fetch_checkpoints(run.id, 2)
    for _ in range(3):
        next(steps)
    steps.close()  # type: ignore[attr-defined]  # it is a generator

    again = other.fetch_checkpoints(run.id, 2)

    assert len(list(again)) == 2  # the part that was missing, and a file to lay out
    assert held(other.home.run(run.id).checkpoints) == {"weights": content}


def test_a_server_that_is_away_is_told_so_that_it_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "alone"))
    alone = open_client()
    assert isinstance(alone, RemoteClient)
    spec = a_spec()
    alone.submit([spec])
    run = alone.home.run(spec.id)
    write(run, weights=b"1")

    with pytest.raises(ServerAway):
        bring(alone, run)
    with pytest.raises(ServerAway):
        fetch(alone, run)
    alone.close()


def test_a_run_that_is_completed_leaves_nothing_on_the_server(
    client: RemoteClient, served: Served, run: RunFolder
) -> None:
    write(run, weights=b"1")
    bring(client, run)
    assert served.client.folder(run.id).brought.is_dir()
    host = JournalWriter(run.attempt(1).journal(HOST), run=run.id, attempt=1, stream=HOST)
    host.event(Ended(time_ns=time.time_ns(), state=RunState.COMPLETED))
    host.close()
    deliver(client, run.id, 1)

    client.attempt_ended(run.id)

    assert not served.client.folder(run.id).checkpoints.exists()
    assert held(run.checkpoints) == {"weights": b"1"}


def test_the_server_itself_can_go_on_with_what_a_machine_left(
    client: RemoteClient, served: Served, run: RunFolder
) -> None:
    write(run, weights=b"1")
    bring(client, run)

    for _ in served.client.fetch_checkpoints(run.id, 2):
        pass

    folder = served.client.folder(run.id)
    assert (folder.checkpoints / "weights").read_bytes() == b"1"
    assert served.client.brought_checkpoints(run.id) is not None


@pytest.mark.parametrize("sha256", ["0" * 64, "x", "..", ".lock"])
def test_a_content_that_is_not_there_is_not_found(client: RemoteClient, run: RunFolder, sha256: str) -> None:
    from runyard.client.remote.transport import place

    with pytest.raises(NotFound):
        client.transport.request("GET", f"/runs/{run.id}/checkpoints/{place(sha256)}")
