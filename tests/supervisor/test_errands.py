"""What asks a server is done beside the loop, which goes on whatever the server does."""

import select
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runyard.journal.events import Warned
from runyard.journal.pieces import Piece, Receipt
from runyard.records import RunState
from runyard.supervisor.errands import Errands
from tests.supervisor.bench import TIMEOUT_S, Bench, RecordingClient, events, gone, rows


class HangingClient(RecordingClient):
    """Takes nothing and answers nothing until somebody lets it."""

    def __init__(self, artifacts: Path) -> None:
        super().__init__(artifacts)
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def deliver(self, pieces: Sequence[Piece]) -> list[Receipt]:
        self.is_asked.set()
        assert self.may_answer.wait(TIMEOUT_S)
        return super().deliver(pieces)


@pytest.fixture
def errands() -> Iterator[Errands]:
    errands = Errands()
    yield errands
    errands.close()


def hear_all(errands: Errands) -> None:
    while not errands.are_done:
        assert select.select([errands], [], [], TIMEOUT_S)[0]
        errands.hear()


def test_a_run_is_stopped_and_measured_while_the_server_hangs(bench: Bench) -> None:
    client = bench.client = HangingClient(bench.home.artifacts)
    bell = bench.a_bell()
    train = f"""
        open("pid", "w").write(str(os.getpid()))
        {bell.ring}
        while True:
            time.sleep(0.05)
    """
    run = bench.a_run(train, grace_s=0.1)
    is_gone = []

    def stop() -> None:
        assert client.is_asked.wait(TIMEOUT_S)
        bench.request_stop(run)
        is_gone.append(gone(int((bench.project / "pid").read_text())))
        client.may_answer.set()

    bench.when(bell, stop)

    ended = bench.supervise(run)

    assert is_gone == [True]
    assert ended.state is RunState.STOPPED
    assert sum(len(block.steps) for block in rows(run)) > 0
    assert client.streams[1, "host"] == run.attempt(1).journal("host").read_bytes()


def test_trouble_beside_the_loop_is_told_in_the_journal(bench: Bench) -> None:
    bench.client.problems = [OSError("the cable is out")]
    run = bench.a_run("time.sleep(1)")

    bench.supervise(run)

    (warned,) = events(run, Warned)
    assert "could not deliver and will try again" in warned.text
    assert bench.client.streams[1, "host"] == run.attempt(1).journal("host").read_bytes()


def test_errands_are_done_one_after_the_other_and_heard_by_the_loop(errands: Errands) -> None:
    told: list[str] = []
    go = threading.Event()
    errands.begin("first", lambda: go.wait(TIMEOUT_S), lambda _: told.append("first"))
    is_begun_again = errands.begin("first", lambda: True, lambda _: told.append("again"))
    errands.begin("second", lambda: "second", told.append)
    go.set()

    hear_all(errands)

    assert not is_begun_again
    assert told == ["first", "second"]


def test_what_an_errand_raises_is_raised_in_the_loop(errands: Errands) -> None:
    def fail() -> None:
        raise ValueError("no")

    errands.begin("this", fail, lambda _: None)

    with pytest.raises(ValueError, match="no"):
        hear_all(errands)
    assert errands.begin("this", lambda: 1, lambda _: None)
