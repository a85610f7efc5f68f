"""Submitting: all runs or none, whatever happens in the middle of it."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runyard.client import open_client
from runyard.journal import Home
from runyard.records import RunSpec, new_run_id

# Submits 300 runs; `strace` or the caller ends it somewhere in the middle.
SUBMIT = """
import sys
from runyard.client import open_client
from tests.client.test_submission import some_runs
client = open_client(sys.argv[1])
print("ready", flush=True)
client.submit(some_runs(int(sys.argv[2])))
"""


def some_runs(count: int) -> list[RunSpec]:
    begin = datetime(2024, 5, 1, tzinfo=UTC)
    return [
        RunSpec(
            id=new_run_id(),
            project="weld",
            name=f"run {number}",
            created_at=begin + timedelta(seconds=number),
            is_queued=True,
        )
        for number in range(count)
    ]


def folders(home: Path) -> list[str]:
    return sorted(os.listdir(home / "runs"))


def markers(home: Path) -> list[Path]:
    return Home(home).submissions()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return Home.open(tmp_path / "home").path


def submit_and_kill(home: Path, at_call: int) -> None:
    """End a submission of 300 runs with SIGKILL at its n-th folder."""
    program = SUBMIT.replace(
        "print(",
        f"""
import os
calls = 0
def rename(*arguments, call=os.rename, **more):
    global calls
    calls += 1
    if calls == {at_call}:
        os.kill(os.getpid(), 9)
    call(*arguments, **more)
os.rename = rename
print(""",
        1,
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home), "300"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("at_call", [2, 301])
def test_a_killed_submission_leaves_nothing_behind(home: Path, at_call: int) -> None:
    submit_and_kill(home, at_call)

    with closing(open_client(home)) as client:
        client.refresh()

        assert client.index.count() == 0
        assert client.queue.counts().waiting == 0
    assert folders(home) == []
    assert markers(home) == []


def test_half_of_a_submission_is_no_run_for_anybody_who_looks_meanwhile(home: Path) -> None:
    submit_and_kill(home, 150)

    with closing(open_client(home)) as client:  # as if the submission were still going on: nobody takes it back
        client.index.catch_up()
        seen_by_catching_up = client.index.count()
        client.index.reindex()
        seen_by_reindex = client.index.count()

    assert (seen_by_catching_up, seen_by_reindex) == (0, 0)


def test_a_submission_that_came_to_its_end_survives_the_marker(home: Path) -> None:
    runs = some_runs(3)
    with closing(open_client(home)) as client:
        client.submit(runs)
        client.home.submission("4711-1").write_text('["' + '", "'.join(run.id for run in runs) + '"]')

        client.refresh()

        assert client.index.count() == 3
    assert len(folders(home)) == 3
    assert markers(home) == []


@pytest.mark.parametrize("content", [b"", b'["abc", "de', b"\0" * 512, b"{}"])
def test_a_marker_that_a_power_cut_garbled_stops_nobody(home: Path, content: bytes) -> None:
    with closing(open_client(home)) as client:
        client.submit(some_runs(1))
        client.home.submission("4711-1").write_bytes(content)

        client.refresh()

        assert client.index.count() == 1
    assert markers(home) == []


def test_a_full_disk_during_a_submission_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def mkdir(path: "str | os.PathLike[str]", *arguments: int) -> None:
        nonlocal made
        made += 1
        if made == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
        original(path, *arguments)

    original = os.mkdir
    with closing(open_client(home)) as client:
        monkeypatch.setattr(os, "mkdir", mkdir)
        with pytest.raises(OSError, match="No space left"):
            client.submit(some_runs(10))

        assert client.index.count() == 0
    assert folders(home) == []
    assert markers(home) == []


def test_ctrl_c_right_after_the_commit_takes_nothing_back(home: Path) -> None:
    with closing(open_client(home)) as client:
        add = client.queue.add

        def interrupted_afterwards(*arguments: object, **more: object) -> None:
            connection = arguments[0]
            add(*arguments, **more)  # type: ignore[arg-type]  # handed on as it came
            connection.commit()  # type: ignore[attr-defined]  # the transaction of `submit`
            raise KeyboardInterrupt

        client.queue.add = interrupted_afterwards  # type: ignore[method-assign]  # the only way into that moment
        with pytest.raises(KeyboardInterrupt):
            client.submit(some_runs(4))

        client.refresh()
        assert client.index.count() == 4
    assert len(folders(home)) == 4
    assert markers(home) == []


def test_two_submissions_at_once_both_arrive_whole(home: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SUBMIT, str(home), "40"], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    with closing(open_client(home)) as client:
        while any(process.poll() is None for process in both):
            client.refresh()
            assert client.index.count() in (0, 40, 80)
        for process in both:
            process.communicate()

        assert [process.returncode for process in both] == [0, 0]
        assert client.index.count() == client.queue.counts().waiting == 80
