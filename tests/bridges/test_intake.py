"""Foreign data comes in once, whole, and can be gone on with."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runyard.bridges.intake import Foreign, begin, find
from runyard.client import Client, open_client
from runyard.errors import UsageError
from runyard.journal import MAIN, EncodedJournal
from runyard.records import RunState
from tests.server.serving import serving

BEGAN = datetime(2024, 5, 3, 12, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(hours=2)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


@pytest.fixture(params=["home", "server"])
def either(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A home of this machine, or a machine that knows a server."""
    if request.param == "home":
        yield request.getfixturevalue("client")
        return
    with serving(tmp_path / "server") as served:
        monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{served.port}")
        monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "machine"))
        with closing(open_client()) as client:
            yield client


def a_foreign(**fields: object) -> Foreign:
    given = {"source": "sacred:lab/1", "project": "weld", "name": "old one", "created_at": BEGAN, "started_at": BEGAN}
    return Foreign(**(given | fields))  # type: ignore[arg-type]


def times_ns(count: int) -> list[int]:
    return [int((BEGAN + timedelta(seconds=each)).timestamp()) * 10**9 for each in range(count)]


@pytest.mark.parametrize("torn_bytes", [0, 7])
def test_what_a_killed_import_wrote_and_nobody_understood_is_gone_on_with(client: Client, torn_bytes: int) -> None:
    with begin(client, a_foreign()) as run:
        run.points("loss", [0, 1], [3.0, 2.0], times_ns(2))
    written = EncodedJournal(run=run.id, attempt=1, stream=MAIN)
    written.points("loss", [2], times_ns(1), [1.0])
    more = written.take(with_header=False)
    written.points("loss", [3], times_ns(1), [0.5])
    torn = written.take(with_header=False)[:torn_bytes]
    with client.folder(run.id).attempt(1).journal(MAIN).open("ab") as file:
        file.write(more + torn)  # and then it was killed, before the index was told

    with begin(client, a_foreign()) as again:
        assert again.known.points == {"loss": 3}
        again.points("loss", [3], [0.5], times_ns(1))
        again.end(RunState.COMPLETED, at=ENDED)

    series = client.index.series(run.id, "loss")
    assert (series.steps.tolist(), series.values.tolist()) == ([0, 1, 2, 3], [3.0, 2.0, 1.0, 0.5])
    assert client.index.get(run.id).state is RunState.COMPLETED


def test_a_foreign_run_looks_like_any_other(either: Client) -> None:
    foreign = a_foreign(experiment="depth", config={"optim": {"lr": 0.1}}, user="anna", host="ws7", commit="abc")
    with begin(either, foreign) as run:
        run.points("loss", [0, 1, 2], [3.0, 2.0, 1.0], times_ns(3))
        run.file("out/model.bin", b"weights", at=ENDED)
        run.output("epoch 1\n", at=ENDED)
        run.tag(["paper"], at=ENDED)
        run.note("the good one", at=ENDED)
        run.label({"stage": "final"}, at=ENDED)
        run.configure({"model.depth": 3}, at=ENDED)
        run.end(RunState.COMPLETED, at=ENDED)

    (row,) = either.index.find('config.optim.lr == 0.1 and config.model.depth == 3 and "paper" in tags')
    assert (row.id, row.state, row.user, row.host, row.experiment) == (run.id, "COMPLETED", "anna", "ws7", "depth")
    assert (row.started_at, row.ended_at, row.duration_s) == (BEGAN, ENDED, 7200.0)
    assert row.config == {"optim": {"lr": 0.1}, "model": {"depth": 3}}
    assert (row.labels, row.note, row.source) == ({"stage": "final"}, "the good one", "sacred:lab/1")
    series = either.index.series(run.id, "loss")
    assert (series.steps.tolist(), series.values.tolist(), series.times.tolist()) == (
        [0, 1, 2],
        [3.0, 2.0, 1.0],
        times_ns(3),
    )
    (stored,) = either.index.artifacts(run.id)
    assert (stored.name, either.artifacts.path(stored.sha256).read_bytes()) == ("out/model.bin", b"weights")


def test_a_reindex_gives_the_same_run(client: Client) -> None:
    with begin(client, a_foreign()) as run:
        run.configure({"a": 1, "a.b": 2, "c.d": "x"}, at=BEGAN)
        run.label({"k": "1", "gone": "1"}, at=BEGAN)
        run.file("kept.txt", b"1", at=BEGAN)
        run.end(RunState.FAILED, at=ENDED, failure=("ValueError", "no", "Traceback…\nValueError: no"))
    before = client.index.get(run.id)

    client.reindex()

    assert client.index.get(run.id) == before
    assert before.reason == "ValueError: no"
    assert client.index.find("config['a.b'] == 2 and config.c.d == 'x'") == [before]


def test_an_ended_run_is_left_alone_the_second_time(either: Client) -> None:
    with begin(either, a_foreign()) as run:
        run.end(RunState.COMPLETED, at=ENDED)

    again = begin(either, a_foreign())

    assert (again.id, again.is_new, again.is_complete) == (run.id, False, True)
    assert find(either, "weld", "sacred:lab/1") == run.id
    assert find(either, "weld", "sacred:lab/2") is None


def test_a_run_that_somebody_deleted_does_not_come_back(either: Client) -> None:
    with begin(either, a_foreign()) as run:
        run.end(RunState.COMPLETED, at=ENDED)
    either.trash([run.id])

    assert begin(either, a_foreign()).is_complete


def test_an_import_that_was_broken_off_goes_on(either: Client) -> None:
    run = begin(either, a_foreign())
    run.points("loss", [0, 1], [3.0, 2.0], times_ns(2))
    run.file("a.txt", b"a", at=BEGAN)
    run.output("half", at=BEGAN)
    run.flush()
    run.points("loss", [2], [9.0], times_ns(1))
    run.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)  # the last point was never delivered

    with begin(either, a_foreign()) as again:
        assert (again.id, again.is_complete) == (run.id, False)
        known = again.known
        assert (known.points, set(known.files), known.output_chars) == ({"loss": 2}, {"a.txt"}, 4)
        again.points("loss", [2], [1.0], times_ns(3)[2:])
        again.file("a.txt", b"a", at=BEGAN)
        again.end(RunState.COMPLETED, at=ENDED)

    assert either.index.series(run.id, "loss").values.tolist() == [3.0, 2.0, 1.0]
    assert len(either.index.artifacts(run.id)) == 1
    assert either.index.get(run.id).state is RunState.COMPLETED


def test_children_know_their_parent_though_it_comes_later(either: Client) -> None:
    with begin(either, a_foreign(source="m:2", parent="m:1")) as child:
        child.end(RunState.COMPLETED, at=ENDED)
    with begin(either, a_foreign(source="m:1")) as parent:
        parent.end(RunState.COMPLETED, at=ENDED)

    assert either.index.get(child.id).parent == parent.id


def test_a_run_that_never_began_waits_and_is_executed_by_nobody(client: Client) -> None:
    begin(client, a_foreign(started_at=None)).close()

    client.refresh()

    assert client.index.find()[0].state is RunState.QUEUED
    assert client.queue.row(client.index.find()[0].id) is None


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "a//b", "a\\b", "a/./b", "x\n"])
def test_names_of_files_lead_nowhere(client: Client, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a file"):
        begin(client, a_foreign()).file(name, b"", at=BEGAN)


def test_nothing_here_executes_a_foreign_run_again(client: Client) -> None:
    with begin(client, a_foreign()) as run:
        run.end(RunState.FAILED, at=ENDED)

    with pytest.raises(UsageError, match="recorded by another tracker"):
        client.retry(run.id)
