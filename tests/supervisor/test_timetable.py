"""What is due when."""

from runyard.supervisor.timetable import Timetable


def test_the_action_that_is_due_longest_comes_first() -> None:
    table, done = Timetable(), list[str]()
    table.once(2.0, lambda: done.append("later"))
    table.once(1.0, lambda: done.append("sooner"))

    assert table.run_next(5.0)
    assert done == ["sooner"]


def test_a_single_action_is_done_once_and_a_regular_one_again() -> None:
    table, done = Timetable(), list[str]()
    table.once(0.0, lambda: done.append("once"))
    table.every(10.0, lambda: done.append("every"), first=1.0)

    for now in (1.0, 1.0, 1.0, 11.0):
        table.run_next(now)

    assert done == ["once", "every", "every"]


def test_the_wait_ends_when_something_is_due() -> None:
    table = Timetable()
    assert table.wait_s(0.0, at_most=5.0) == 5.0
    table.once(3.0, lambda: None)

    assert table.wait_s(1.0, at_most=5.0) == 2.0
    assert table.wait_s(9.0, at_most=5.0) == 0.0


def test_nothing_is_done_before_its_time() -> None:
    table = Timetable()
    table.once(3.0, lambda: None)

    assert not table.run_next(2.9)
