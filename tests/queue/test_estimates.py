from typing import Any

from runyard.queue import Waiting, eta
from runyard.records import RunId


def waiting(run_id: str, **changes: Any) -> Waiting:  # any field of Waiting
    return Waiting(**{"run_id": RunId(run_id), "grid": "g", "project": "weld", **changes})


def test_waiting_runs_follow_one_another_on_the_slots() -> None:
    found = eta([waiting(name) for name in "abcde"], n_slots=2, medians={"g": 10.0})

    assert found.runs == {"a": 10, "b": 10, "c": 20, "d": 20, "e": 30}
    assert found.grids == {"g": 30}
    assert found.queue_s == 30


def test_running_runs_need_only_what_is_left_of_them() -> None:
    rows = [waiting("next"), waiting("old", elapsed_s=7.0), waiting("late", elapsed_s=70.0)]

    found = eta(rows, n_slots=2, medians={"g": 10.0})

    assert found.runs == {"old": 3, "late": 0, "next": 10}


def test_what_a_run_says_of_its_progress_counts_more_than_its_like() -> None:
    found = eta([waiting("a", elapsed_s=1.0, remaining_s=4.0)], n_slots=1, medians={"g": 100.0})

    assert found.runs == {"a": 4}


def test_an_estimate_of_the_run_counts_before_its_grid_and_the_grid_before_the_project() -> None:
    rows = [waiting("a", estimated_s=1.0), waiting("b"), waiting("c", grid=None)]

    found = eta(rows, n_slots=3, medians={"g": 10.0, "weld": 100.0})

    assert found.runs == {"a": 1, "b": 10, "c": 100}


def test_nothing_is_guessed_where_nothing_is_known() -> None:
    rows = [waiting("a", grid="known"), waiting("b", grid="unknown"), waiting("c", grid="known")]

    found = eta(rows, n_slots=1, medians={"known": 10.0})

    assert found.runs == {"a": 10, "b": None, "c": None}
    assert found.grids == {"known": None, "unknown": None}
    assert found.queue_s is None


def test_a_slot_with_an_unknown_end_is_not_waited_for_while_another_is_known() -> None:
    rows = [waiting("a", grid="unknown", elapsed_s=1.0), waiting("b")]

    found = eta(rows, n_slots=2, medians={"g": 10.0})

    assert found.runs == {"a": None, "b": 10}


def test_a_run_on_two_slots_waits_for_both() -> None:
    rows = [waiting("a", elapsed_s=0.0), waiting("b", elapsed_s=5.0), waiting("c", slots=2), waiting("d")]

    found = eta(rows, n_slots=2, medians={"g": 10.0})

    assert found.runs == {"a": 10, "b": 5, "c": 20, "d": 30}


def test_a_reserved_slot_starts_nothing_and_what_runs_on_it_goes_on() -> None:
    running = [waiting("a", elapsed_s=0.0), waiting("b", elapsed_s=5.0)]

    found = eta([*running, waiting("c"), waiting("d")], n_slots=2, medians={"g": 10.0}, reserved_s=[100.0])

    assert found.runs == {"a": 10, "b": 5, "c": 20, "d": 30}
    assert eta([waiting("a")], n_slots=1, medians={"g": 10.0}, reserved_s=[100.0]).queue_s == 110


def test_an_empty_queue_is_done() -> None:
    assert eta([], n_slots=4, medians={}).queue_s == 0
