import subprocess
import sys
from pathlib import Path

import pytest

from runyard.database import Database
from runyard.errors import NotFound
from runyard.queue import Capacity, Counts, Queue, WorkerRow
from runyard.records import WorkerId
from tests.queue.builders import ANNA, BOB, NOW, a_run, claim, order, submit, the_row


def test_the_oldest_run_comes_first(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"), a_run("two"))

    assert [claim(queue), claim(queue), claim(queue)] == ["one", "two", None]


def test_a_high_priority_comes_before_age(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("low"), a_run("high", priority=5), a_run("middle", priority=1))

    assert order(queue) == ["high", "middle", "low"]
    assert claim(queue) == "high"


def test_runs_created_at_the_same_moment_keep_the_order_of_their_submission(queue: Queue, database: Database) -> None:
    moment = a_run().created_at
    submit(queue, database, *(a_run(name, created_at=moment) for name in ("c", "a", "b")))

    assert order(queue) == ["c", "a", "b"]


def test_adding_a_run_twice_changes_nothing(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    claim(queue)

    submit(queue, database, run)

    assert the_row(queue, "one").state == "leased"


def test_a_claim_raises_the_number_of_the_attempt(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    assert queue.claim_next(ANNA, _one_slot(), now=NOW) is not None
    queue.requeue(run, attempt=1, now=NOW)

    again = queue.claim_next(BOB, _one_slot(), now=NOW)

    assert again is not None
    assert (again.run_id, again.attempt, again.worker_id) == ("one", 2, BOB)


def test_an_interrupted_run_comes_before_those_that_were_submitted_after_it(queue: Queue, database: Database) -> None:
    first = a_run("first")
    submit(queue, database, first, a_run("second"))
    claim(queue)

    queue.requeue(first, attempt=1, now=NOW)

    assert order(queue) == ["first", "second"]


def test_a_run_that_left_the_queue_can_be_tried_again(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    lease = queue.claim_next(ANNA, _one_slot(), now=NOW)
    assert lease is not None
    queue.finish("one", ANNA, 1)
    assert queue.row("one") is None

    queue.requeue(run, attempt=1, now=NOW)

    again = queue.claim_next(ANNA, _one_slot(), now=NOW)
    assert again is not None
    assert again.attempt == 2


def test_requeuing_an_old_attempt_does_not_take_the_run_from_a_newer_one(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    claim(queue)

    queue.requeue(run, attempt=0, now=NOW)

    assert the_row(queue, "one").state == "leased"


def test_a_number_of_an_attempt_is_never_given_out_twice(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    claim(queue)

    queue.requeue(run, attempt=0, now=NOW + 61)  # the lease ran out before the attempt left a trace
    lease = queue.claim_next(BOB, _one_slot(), now=NOW + 61)

    assert lease is not None
    assert lease.attempt == 2


def test_a_run_whose_attempt_did_not_start_goes_back_to_its_place(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"), a_run("two"))
    claim(queue)

    assert queue.give_back("one", ANNA, 1)

    assert order(queue) == ["one", "two"]
    assert not queue.give_back("one", ANNA, 1)


def test_a_held_run_waits_until_it_is_released_and_then_has_its_old_place(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"), a_run("two"))

    assert queue.hold(["one", "unknown"], why="data is wrong") == ["one"]

    assert the_row(queue, "one").held_reason == "data is wrong"
    assert claim(queue) == "two"
    assert claim(queue) is None
    assert queue.release(["one", "two"]) == ["one"]
    assert the_row(queue, "one").held_reason is None
    assert claim(queue) == "one"


def test_a_running_run_cannot_be_held(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))
    claim(queue)

    assert queue.hold(["one"], why="too late") == []


def test_holding_a_grid_leaves_its_running_runs_and_other_grids_alone(queue: Queue, database: Database) -> None:
    submit(queue, database, *(a_run(name, grid="g") for name in "abc"), a_run("other", grid="h"), a_run("single"))
    claim(queue)
    assert queue.waiting_of_grid("g") == ["b", "c"]

    held = queue.hold_grid("g", why="three equal failures")

    assert held == ["b", "c"]
    assert the_row(queue, "a").state == "leased"
    assert [claim(queue), claim(queue), claim(queue)] == ["other", "single", None]
    assert queue.release_grid("g") == ["b", "c"]
    assert claim(queue) == "b"


def test_a_paused_project_starts_nothing_and_others_go_on(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one", project="weld"), a_run("two", project="seam"))

    queue.pause("weld", by="anna", now=NOW)
    queue.pause("weld", by="bob", now=NOW)

    assert queue.paused() == {"weld": "bob"}
    assert claim(queue) == "two"
    assert claim(queue) is None
    assert queue.counts() == Counts(waiting=1, leased=1, paused=1)
    assert queue.resume("weld")
    assert not queue.resume("weld")
    assert claim(queue) == "one"


def test_a_waiting_run_can_be_cancelled_and_a_running_one_not(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"), a_run("two"), a_run("held"))
    queue.hold(["held"], why="")
    claim(queue)

    assert not queue.cancel("one")
    assert queue.cancel("two")
    assert queue.cancel("held")
    assert not queue.cancel("two")
    assert [row.run_id for row in queue.rows()] == ["one"]


def test_the_priority_can_be_changed_while_a_run_waits(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"), a_run("two"))

    queue.set_priority("two", 3)

    assert order(queue) == ["two", "one"]
    with pytest.raises(NotFound, match="unknown"):
        queue.set_priority("unknown", 3)


def test_moving_puts_a_run_at_the_top_at_the_bottom_or_before_another(queue: Queue, database: Database) -> None:
    submit(queue, database, *(a_run(name) for name in "abcd"), a_run("high", priority=2))

    queue.place(queue.to_top("c"))
    assert order(queue) == ["c", "high", "a", "b", "d"]
    queue.place(queue.to_bottom("high"))
    assert order(queue) == ["c", "a", "b", "d", "high"]
    queue.place(queue.move_before("d", "b"))
    assert order(queue) == ["c", "a", "d", "b", "high"]
    with pytest.raises(NotFound, match="unknown"):
        queue.move_before("a", "unknown")


def test_rows_list_running_runs_first_and_can_be_narrowed(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one", grid="g"), a_run("two", project="seam"), a_run("three", priority=-1))
    queue.set_priority("two", -2)
    claim(queue)

    assert [row.run_id for row in queue.rows()] == ["one", "three", "two"]
    assert [row.run_id for row in queue.rows("seam")] == ["two"]
    assert [row.run_id for row in queue.rows(grid="g")] == ["one"]
    assert queue.counts("weld") == Counts(waiting=1, leased=1)


def test_a_change_in_the_callers_transaction_is_undone_with_it(queue: Queue, database: Database) -> None:
    def fail() -> None:
        with database.transaction() as tx:
            queue.add(tx, [a_run("one")], now=NOW)
            queue.claim_next(ANNA, _one_slot(), now=NOW, connection=tx)
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        fail()

    assert queue.rows() == []


def test_a_thousand_runs_go_in_with_one_transaction(queue: Queue, database: Database) -> None:
    specs = [a_run() for _ in range(1_000)]

    submit(queue, database, *specs)
    submit(queue, database, *specs)

    assert order(queue) == [spec.id for spec in specs]


def test_workers_are_listed_while_they_are_heard_of(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))
    queue.see_worker(_a_worker(ANNA, seen_at=NOW))
    queue.see_worker(_a_worker(BOB, seen_at=NOW))
    claim(queue, ANNA)

    queue.see_worker(_a_worker("new", seen_at=NOW + 1_000))

    assert {worker.worker_id for worker in queue.workers()} == {ANNA, "new"}, "a lease must lead to its host"
    assert queue.workers()[0].slots == ("cpu-0",)
    queue.forget_worker("new")
    queue.forget_worker(ANNA)
    assert [worker.worker_id for worker in queue.workers()] == [ANNA]


def test_four_processes_claim_400_runs_and_each_run_exactly_once(
    queue: Queue, database: Database, database_url: str | None, tmp_path: Path
) -> None:
    place = database_url or str(tmp_path / "runyard.db")
    specs = [a_run() for _ in range(400)]
    submit(queue, database, *specs)
    database.dispose()

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, place, f"worker-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    claimed = [process.communicate(timeout=100)[0].split() for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sorted(run_id for share in claimed for run_id in share) == sorted(spec.id for spec in specs)


CLAIM_ALL = """
import sys
from runyard.database import Database
from runyard.queue import Capacity, Queue
queue = Queue(Database.open(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
slot = Capacity(cpu_slots=1, all_cpu_slots=1)
while lease := queue.claim_next(sys.argv[2], slot, now=0.0):
    queue.heartbeat(lease.run_id, sys.argv[2], lease.attempt, now=1.0)
    print(lease.run_id)
"""


def _one_slot() -> Capacity:
    return Capacity(cpu_slots=1, all_cpu_slots=1)


def _a_worker(worker_id: str, *, seen_at: float) -> WorkerRow:
    return WorkerRow(
        worker_id=WorkerId(worker_id), host="h", user="u", pid=1, home="/home", slots=("cpu-0",), seen_at=seen_at
    )
