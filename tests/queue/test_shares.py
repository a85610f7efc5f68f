import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.database import Database
from runyard.queue import Capacity, Queue
from runyard.records import RunSpec
from tests.queue.builders import ANNA, NOW, a_run, asking, claim, gpus, order, submit, the_row

FOUR = Capacity(cpu_slots=4, all_cpu_slots=4)


def of(user: str, *names: str, **changes: object) -> list[RunSpec]:
    return [a_run(name, user=user, **changes) for name in names]


def test_users_take_turns_whoever_submitted_first(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("anna", "a1", "a2", "a3"), *of("ben", "b1", "b2"))

    assert [claim(queue) for _ in range(5)] == ["a1", "b1", "a2", "b2", "a3"]


def test_a_user_who_is_alone_sees_no_difference(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("anna", "a1", "a2"), *of("anna", "high", priority=1))

    assert order(queue) == ["high", "a1", "a2"]
    assert [claim(queue) for _ in range(3)] == ["high", "a1", "a2"]


def test_a_priority_comes_before_any_share(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("anna", "a1", "a2", priority=1), *of("ben", "b1"))

    assert order(queue) == ["a1", "a2", "b1"]
    assert [claim(queue) for _ in range(3)] == ["a1", "a2", "b1"]


def test_a_run_counts_for_as_many_slots_as_it_takes(queue: Queue, database: Database) -> None:
    pair = asking("pair", gpus=2)
    submit(queue, database, pair, *of("ben", "b1", "b2", "b3"))
    machine = gpus(24, 24, 24, 24, 24)

    assert [claim(queue, capacity=machine) for _ in range(3)] == ["pair", "b1", "b2"]
    submit(queue, database, a_run("single"))
    assert order(queue) == ["single", "b3"]  # two slots each; whoever was not served for longest comes next


def test_a_single_slot_does_not_stay_with_whoever_came_first(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("anna", "a1", "a2"), *of("ben", "b1"))
    assert claim(queue) == "a1"
    queue.finish("a1", ANNA, 1)

    assert claim(queue) == "b1"


def test_a_move_counts_within_the_runs_of_its_user(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("anna", "a1", "a2", "a3"), *of("ben", "b1", "b2"))

    queue.place(queue.move_before("b2", "a2"))

    assert order(queue) == ["a1", "b2", "a2", "b1", "a3"]


def test_a_held_run_keeps_its_place_and_takes_no_turn(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("anna", "a1", "a2"), *of("ben", "b1", "b2"))
    queue.hold(["a1"], why="wait")

    assert order(queue) == ["a1", "a2", "b1", "b2"]
    assert [claim(queue), claim(queue)] == ["a2", "b1"]


def test_a_large_run_of_whoever_has_most_does_not_keep_slots_from_others(queue: Queue, database: Database) -> None:
    large = asking("large", gpus=2)
    submit(queue, database, a_run("first"), large, *of("ben", "b1", "b2"))
    assert claim(queue, capacity=gpus(24, 24)) == "first"

    assert claim(queue, capacity=gpus(24, of=(24, 24))) == "b1"


def test_a_large_run_whose_turn_it_is_still_waits_for_enough_gpus(queue: Queue, database: Database) -> None:
    submit(queue, database, *of("ben", "b1", "b2"), asking("large", gpus=2))
    assert claim(queue, capacity=gpus(24, 24)) == "b1"

    assert claim(queue, capacity=gpus(24, of=(24, 24))) is None


def test_what_a_machine_refused_goes_to_another_one_and_is_tried_again_later(queue: Queue, database: Database) -> None:
    here, there = (Capacity(cpu_slots=1, all_cpu_slots=1, host=host) for host in ("anna", "ben"))
    submit(queue, database, a_run("one"), a_run("two"))
    assert claim(queue, capacity=here) == "one"

    assert queue.refuse("one", ANNA, 1, host="anna", why="/data is not there.", now=NOW)

    assert the_row(queue, "one").attempt == 0
    assert {row.run_id: row.refused for row in queue.rows()} == {"one": ("anna: /data is not there.",), "two": ()}
    assert queue.startable(here) == 1
    assert queue.next_fitting(here) == "two"
    assert queue.next_fitting(there) == "one"
    assert not queue.refuse("one", ANNA, 1, host="anna", why="again", now=NOW)
    queue.reconsider(host="anna", older_than_s=1, now=NOW)
    assert queue.next_fitting(here) == "two"
    queue.reconsider(host="anna", older_than_s=0, now=NOW)
    assert queue.next_fitting(here) == "one"


USERS = ("anna", "ben", "cleo")


@settings(max_examples=40)
@given(
    queued=st.lists(st.sampled_from(USERS), min_size=1, max_size=12),
    happens=st.lists(st.one_of(st.none(), st.integers(0, 2), st.sampled_from(USERS)), max_size=30),
)
def test_nobody_starves(queued: list[str], happens: list[int | str | None]) -> None:
    """Whatever ends and comes, a user who waits and has nothing is served before anybody else is served twice."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "queue.db")
        queue = Queue(database)
        submit(queue, database, *(a_run(user=user) for user in queued))
        running: list[str] = []
        passed_over: dict[str, Counter[str]] = {}
        for what in happens:
            if isinstance(what, str):
                submit(queue, database, a_run(user=what))
            elif what is not None and running:
                run_id = running.pop(what % len(running))
                queue.finish(run_id, ANNA, 1)
            else:
                waiting = [row for row in queue.rows() if row.state == "waiting"]
                users: dict[str, str] = {row.run_id: row.user for row in queue.rows()}
                having = {users[run_id] for run_id in running}
                run_id_or_none = claim(queue, capacity=FOUR)
                assert run_id_or_none == (waiting[0].run_id if waiting else None)
                if run_id_or_none is None:
                    continue
                running.append(run_id_or_none)
                served = users[run_id_or_none]
                passed_over.pop(served, None)
                for user in {row.user for row in waiting} - having - {served}:
                    passed_over.setdefault(user, Counter())[served] += 1
                    assert passed_over[user][served] <= 1
        database.dispose()
