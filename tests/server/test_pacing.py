"""The rest between two deliveries that the server asks for."""

from dataclasses import dataclass

from runyard.server.pacing import FIRST_S, LONGEST_S, SHORTEST_S, Pace


@dataclass
class Machine:
    """A clock, and the processor time of a process on it."""

    now: float = 0.0
    used_s: float = 0.0

    def pace(self) -> Pace:
        return Pace(lambda: self.now, lambda: self.used_s)

    def pass_seconds(self, pace: Pace, count: int, *, share: float, waited_s: float = 0.01) -> None:
        """Each second ten deliveries come, and the server needs so much of a core."""
        for _ in range(10 * count):
            self.now += 0.1
            self.used_s += 0.1 * share
            pace.note(waited_s)


def test_rests_get_short_while_the_server_has_little_to_do() -> None:
    machine = Machine()
    pace = machine.pace()

    machine.pass_seconds(pace, 30, share=0.05)

    assert pace.rest_s == SHORTEST_S


def test_rests_get_long_while_the_server_is_busy_but_not_without_end() -> None:
    machine = Machine()
    pace = machine.pace()

    machine.pass_seconds(pace, 5, share=0.9)
    after_some = pace.rest_s
    machine.pass_seconds(pace, 60, share=0.9)

    assert FIRST_S < after_some < pace.rest_s == LONGEST_S


def test_rests_get_long_where_deliveries_wait_although_the_server_is_not_busy() -> None:
    machine = Machine()
    pace = machine.pace()

    machine.pass_seconds(pace, 60, share=0.1, waited_s=2.0)

    assert pace.rest_s == LONGEST_S


def test_rests_settle_where_the_server_is_busy_for_half_of_a_core() -> None:
    machine = Machine()
    pace = machine.pace()

    for _ in range(60):  # each delivery takes 1 ms, of 400 runs
        machine.pass_seconds(pace, 1, share=min(1.0, 400 * 0.001 / pace.rest_s))

    assert abs(pace.rest_s - 400 * 0.001 / 0.5) < 0.05


def test_who_is_answered_together_does_not_come_back_together() -> None:
    pace = Machine().pace()

    rests = [pace.note(0.01) for _ in range(100)]

    assert max(rests) - min(rests) > 0.2 * FIRST_S
    assert min(rests) >= FIRST_S * 0.75
    assert max(rests) <= FIRST_S * 1.25
