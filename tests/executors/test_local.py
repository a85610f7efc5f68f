import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.executors import Exit, LocalExecutor
from runyard.executors.local import SUPERVISOR
from tests.executors.contract import ExecutorContract, wait_for_end
from tests.executors.ordering import STAND_IN, an_order, read_line, talk

ANY = {"": b""}  # a spare for whatever comes


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalExecutor]:
    executor = LocalExecutor(log=tmp_path / "supervisors.log", command=STAND_IN)
    yield executor
    executor.close()


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, local: LocalExecutor) -> LocalExecutor:
        return local


class TestLocalExecutorWithSpare(ExecutorContract):
    @pytest.fixture
    def executor(self, local: LocalExecutor) -> LocalExecutor:
        local.prepare(ANY)
        return local


def test_the_spare_takes_the_next_order_and_only_one(local: LocalExecutor, tmp_path: Path) -> None:
    local.prepare(ANY)
    local.prepare(ANY)
    for folder, way in (("a", "ready standby"), ("b", "ready")):
        (tmp_path / folder).mkdir()
        with talk(tmp_path / folder) as (ears, mouth):
            handle = local.start(an_order(tmp_path / folder, tell_way=True))
            assert read_line(ears) == way
            mouth.write("exit 0\n")
            assert wait_for_end(local, handle).is_clean


def test_each_place_has_a_spare_that_was_told_what_to_import_there(local: LocalExecutor, tmp_path: Path) -> None:
    local.prepare({"a": b"{1}", "b": b"{2}"})
    for place, way in (("b", "ready standby {2}"), ("b", "ready"), ("a", "ready standby {1}")):
        folder = tmp_path / f"{place} {way}"
        folder.mkdir()
        with talk(folder) as (ears, mouth):
            handle = local.start(an_order(folder, tell_way=True), place=place)
            assert read_line(ears) == way
            mouth.write("exit 0\n")
            assert wait_for_end(local, handle).is_clean


def test_what_is_for_any_place_is_used_where_nothing_else_is(local: LocalExecutor, tmp_path: Path) -> None:
    local.prepare(ANY)

    with talk(tmp_path) as (ears, mouth):
        handle = local.start(an_order(tmp_path, tell_way=True), place="a")
        assert read_line(ears) == "ready standby"
        mouth.write("exit 0\n")
        assert wait_for_end(local, handle).is_clean


def test_a_spare_with_other_imports_than_are_wanted_leaves(local: LocalExecutor) -> None:
    local.prepare({"a": b"{1}", "b": b"{2}", "c": b"{3}"})
    before = {place: spare.process for place, spare in local._spares.items()}

    local.prepare({"a": b"{1}", "b": b"{9}"})

    assert before["b"].wait(60) == before["c"].wait(60) == 0
    assert before["a"].poll() is None
    assert {place: spare.warm_up for place, spare in local._spares.items()} == {"a": b"{1}", "b": b"{9}"}
    assert local._spares["a"].process is before["a"]


def test_the_end_of_a_spare_is_told_once_and_then_it_is_replaced(tmp_path: Path) -> None:
    executor = LocalExecutor(command=(sys.executable, "-c", "raise SystemExit(7)"))
    executor.prepare({"a": b"{}"})
    first = executor._spares["a"].process
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)

    assert executor.prepare({"a": b"{}"}) == {"a": Exit(code=7)}
    assert executor.prepare({"a": b"{}"}) == {}
    assert executor._spares["a"].process is not first
    executor.close()


def test_the_end_of_a_spare_is_told_also_when_an_order_came_in_between(tmp_path: Path) -> None:
    leaving = (sys.executable, "-c", "import sys; '--standby' in sys.argv and sys.exit(7)")
    executor = LocalExecutor(command=leaving)
    executor.prepare({"a": b"{}"})
    os.waitid(os.P_PID, executor._spares["a"].process.pid, os.WEXITED | os.WNOWAIT)

    wait_for_end(executor, executor.start(b"{}", place="a"))

    assert executor.prepare({}) == {"a": Exit(code=7)}
    executor.close()


def test_a_spare_that_died_is_replaced_by_a_fresh_supervisor(local: LocalExecutor, tmp_path: Path) -> None:
    local.prepare(ANY)
    spare = local._spares[""]
    os.kill(spare.process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, spare.process.pid, os.WEXITED | os.WNOWAIT)

    with talk(tmp_path) as (ears, mouth):
        handle = local.start(an_order(tmp_path, tell_way=True))
        assert read_line(ears) == "ready"
        mouth.write("exit 0\n")
        assert wait_for_end(local, handle).is_clean


def test_a_spare_that_does_not_listen_is_replaced_by_a_fresh_supervisor(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        "import socket, sys, runpy\n"
        "if '--standby' in sys.argv:\n"
        "    s = socket.socket(fileno=int(sys.argv[-1])); s.shutdown(socket.SHUT_RDWR)\n"
        "    print('deaf', file=open(sys.argv[1], 'w'), flush=True); sys.stdin.close(); import signal; signal.pause()\n"
        "sys.argv[0:2] = sys.argv[0:1]\n"
        f"runpy.run_path({STAND_IN[1]!r}, run_name='__main__')\n"
    )
    os.mkfifo(tmp_path / "told")
    executor = LocalExecutor(command=(sys.executable, str(deaf), str(tmp_path / "told")))
    with talk(tmp_path) as (ears, mouth):
        executor.prepare(ANY)
        with open(tmp_path / "told") as told:
            assert told.readline() == "deaf\n"

        handle = executor.start(an_order(tmp_path))

        assert read_line(ears) == "ready"
        mouth.write("exit 0\n")
        assert wait_for_end(executor, handle).is_clean
    executor.close()


def test_closing_ends_the_spare(local: LocalExecutor) -> None:
    local.prepare(ANY)
    spare = local._spares[""]

    local.close()

    assert spare.process.returncode is not None


def test_a_spare_leaves_when_its_worker_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from runyard.executors import LocalExecutor\n"
        "executor = LocalExecutor(command=sys.argv[1:]); executor.prepare({'': b''})\n"
        "print(executor._spares[''].process.pid, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *STAND_IN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        spare = os.pidfd_open(int(worker.stdout.readline()))
        worker.kill()
        worker.wait()

    assert select.select([spare], [], [], 30)[0]
    os.close(spare)


def test_what_cannot_be_started_raises(tmp_path: Path) -> None:
    executor = LocalExecutor(command=(str(tmp_path / "nothing"),))

    with pytest.raises(OSError, match="nothing"):
        executor.start(b"{}")
    with pytest.raises(OSError, match="nothing"):
        executor.prepare({"": b""})


def test_what_supervisors_print_is_kept(local: LocalExecutor, tmp_path: Path) -> None:
    handle = local.start(b"no json")

    assert wait_for_end(local, handle).code == 1

    assert "JSONDecodeError" in (tmp_path / "supervisors.log").read_text()


def test_the_real_supervisor_refuses_a_broken_order_in_both_ways(tmp_path: Path) -> None:
    log = tmp_path / "log"
    executor = LocalExecutor(log=log, command=SUPERVISOR)
    try:
        assert wait_for_end(executor, executor.start(b'{"no": "order"}')).code == 2
        executor.prepare({"": b""})
        assert wait_for_end(executor, executor.start(b'{"no": "order"}')).code == 2
    finally:
        executor.close()
    assert log.read_text().count("This is no launch order") == 2
