import pytest

from runyard.errors import NotFound
from runyard.queue import Placement
from runyard.queue.placements import before, to_bottom, to_top
from runyard.records import RunId

A, B, C = (Placement(RunId(name), 0, float(place)) for place, name in enumerate("abc"))


def after(places: list[Placement], moved: list[Placement]) -> list[str]:
    now = {place.run_id: place for place in [*places, *moved]}
    return [place.run_id for place in sorted(now.values(), key=lambda place: (-place.priority, place.position))]


def test_one_run_changes_and_the_others_keep_their_numbers() -> None:
    assert before([A, B, C], C.run_id, B.run_id) == [Placement(C.run_id, 0, 0.5)]
    assert to_top([A, B, C], C.run_id) == [Placement(C.run_id, 0, -1.0)]
    assert to_bottom([A, B, C], A.run_id) == [Placement(A.run_id, 0, 3.0)]


def test_nothing_changes_for_a_run_that_is_there_already() -> None:
    assert to_top([A, B], A.run_id) == []
    assert to_bottom([A, B], B.run_id) == []
    assert before([A, B], A.run_id, A.run_id) == []
    assert after([A, B], before([A, B], A.run_id, B.run_id)) == ["a", "b"]


def test_a_run_takes_over_the_priority_of_its_neighbour() -> None:
    high = Placement(RunId("high"), 7, 5.0)
    low = Placement(RunId("low"), -7, 5.0)

    assert after([high, A, low], to_top([high, A, low], low.run_id)) == ["low", "high", "a"]
    assert after([high, A, low], to_bottom([high, A, low], high.run_id)) == ["a", "low", "high"]
    assert after([high, A, low], before([high, A, low], low.run_id, A.run_id)) == ["high", "low", "a"]


def test_when_no_number_is_left_between_two_neighbours_those_behind_make_room() -> None:
    tight = [A, Placement(RunId("b"), 0, 5e-324), C, Placement(RunId("d"), 0, 3.0)]

    moved = before(tight, RunId("d"), RunId("b"))

    assert after(tight, moved) == ["a", "d", "b", "c"]
    assert len(moved) == 3


def test_moving_back_and_forth_a_thousand_times_keeps_the_order_right() -> None:
    places = {place.run_id: place for place in (A, B, C)}

    for number in range(1_000):
        ordered = sorted(places.values(), key=lambda place: place.position)
        expected = [ordered[0].run_id, ordered[2].run_id, ordered[1].run_id]
        for place in before(ordered, ordered[2].run_id, ordered[1].run_id):
            places[place.run_id] = place
        assert [place.run_id for place in sorted(places.values(), key=lambda p: p.position)] == expected, number


def test_a_run_that_does_not_wait_cannot_be_moved() -> None:
    unknown = RunId("unknown")

    with pytest.raises(NotFound, match="unknown does not wait"):
        to_top([A], unknown)
    with pytest.raises(NotFound):
        to_bottom([], unknown)
    with pytest.raises(NotFound):
        before([A], unknown, A.run_id)
    with pytest.raises(NotFound):
        before([A], A.run_id, unknown)
