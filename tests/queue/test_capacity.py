import pytest

from runyard.database import Database
from runyard.queue import Capacity, Demand, Queue, demand_of
from tests.queue.builders import GIB, a_run, asking, claim, gpus, submit


def test_a_run_that_says_nothing_gets_a_gpu_where_the_worker_has_any(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))

    assert claim(queue, capacity=gpus(of=(24,), cpu_slots=4)) is None, "it waits for the GPU and takes no CPU slot"
    assert claim(queue, capacity=gpus(24)) == "one"


def test_a_run_that_says_nothing_gets_a_cpu_slot_where_there_is_no_gpu(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))

    assert claim(queue, capacity=gpus(cpu_slots=1)) == "one"


def test_a_run_without_gpu_takes_a_cpu_slot_and_overtakes_those_that_wait_for_a_gpu(
    queue: Queue, database: Database
) -> None:
    submit(queue, database, asking("gpu", gpus=1), asking("cpu", gpus=0))

    assert claim(queue, capacity=gpus(of=(24,), cpu_slots=1)) == "cpu"


def test_a_run_gets_as_many_gpus_as_it_needs_or_none(queue: Queue, database: Database) -> None:
    submit(queue, database, asking("two", gpus=2))

    assert claim(queue, capacity=gpus(24)) is None
    assert claim(queue, capacity=gpus(24, 24)) == "two"


def test_a_large_run_is_not_overtaken_for_ever_by_small_ones(queue: Queue, database: Database) -> None:
    submit(queue, database, asking("before"), asking("two", gpus=2), asking("small"), asking("cpu", gpus=0))
    one_of_two = gpus(24, of=(24, 24), cpu_slots=1)

    assert claim(queue, capacity=one_of_two) == "before"
    assert claim(queue, capacity=one_of_two) == "cpu"
    assert claim(queue, capacity=one_of_two) is None, "the free GPU is kept until the second one is free too"
    assert claim(queue, capacity=gpus(24, 24)) == "two"
    assert claim(queue, capacity=one_of_two) == "small"


def test_a_run_that_is_too_large_for_this_worker_stands_in_nobodys_way(queue: Queue, database: Database) -> None:
    submit(queue, database, asking("eight", gpus=8), asking("small"))

    assert claim(queue, capacity=gpus(24, of=(24, 24))) == "small"


def test_gpu_memory_decides_which_gpus_count(queue: Queue, database: Database) -> None:
    submit(queue, database, asking("big", gpus=2, gpu_memory_bytes=20 * GIB), asking("small", gpu_memory_bytes=8 * GIB))

    assert claim(queue, capacity=gpus(24, 8)) == "small"
    assert claim(queue, capacity=gpus(24, 8, 24)) == "big"


def test_a_machine_with_too_few_cores_or_too_little_memory_leaves_a_run_to_others(
    queue: Queue, database: Database
) -> None:
    small = Capacity(cpu_slots=2, all_cpu_slots=2, cores_per_slot=2, cores=4, memory_bytes=8 * GIB)
    submit(queue, database, asking("cores", gpus=0, cpus=5), asking("memory", gpus=0, memory_bytes=9 * GIB))
    submit(queue, database, asking("fits", gpus=0, cpus=4, memory_bytes=8 * GIB))

    assert queue.startable(small) == 1
    assert claim(queue, capacity=small) == "fits"
    assert claim(queue, capacity=small) is None


def test_startable_counts_what_would_fit_if_all_slots_were_free(queue: Queue, database: Database) -> None:
    submit(queue, database, asking("a"), asking("b", gpus=2), asking("c", gpus=3), asking("d"), asking("e"))
    queue.hold(["d"], why="")
    worker = gpus(of=(24, 24))

    assert queue.startable(worker) == 3
    queue.pause("weld", by="anna", now=0.0)
    assert queue.startable(worker) == 0


@pytest.mark.parametrize(
    ("wanted", "cpus", "expected"),
    [(None, None, Demand(1, 0)), (0, None, Demand(0, 1)), (0, 3.0, Demand(0, 2)), (2, 8.0, Demand(2, 0))],
)
def test_the_demand_of_a_run_is_counted_in_slots(wanted: int | None, cpus: float | None, expected: Demand) -> None:
    worker = Capacity(all_gpu_memory_bytes=(24 * GIB, 24 * GIB), all_cpu_slots=4, cores_per_slot=2)

    assert demand_of(worker, gpus=wanted, cpus=cpus) == expected


def test_without_gpus_a_silent_run_is_counted_in_cpu_slots() -> None:
    assert demand_of(Capacity(all_cpu_slots=4), gpus=None, cpus=None) == Demand(0, 1)
