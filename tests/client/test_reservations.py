"""Reservations: a slot for oneself, for some hours."""

import pytest

from runyard.client.reservations import FILE, Reservations
from runyard.errors import ConflictError, FormatUnknown, NotFound, UsageError
from runyard.journal import Home
from tests.cli.builders import Yard

NOON = 1_700_000_000.0
HOUR_S = 3600.0


def reserve(found: Reservations, *, slot: str = "cpu-0", user: str = "anna", hours: float = 2.0) -> None:
    found.reserve(host="ws1", slot=slot, label="CPU 0", user=user, hours=hours, now=NOON, why="a demo")


def test_a_reservation_holds_until_its_time_is_over(yard: Yard) -> None:
    reserve(yard.client.reservations)

    active = yard.client.reservations.active

    assert [each.user for each in active(now=NOON + 2 * HOUR_S - 1, host="ws1")] == ["anna"]
    assert active(now=NOON + 2 * HOUR_S) == []
    assert active(now=NOON, host="ws2") == []


def test_a_reindex_and_a_lost_database_keep_reservations(yard: Yard) -> None:
    reserve(yard.client.reservations)

    yard.client.reindex()
    again = Reservations(Home.open(yard.client.home.path))

    assert len(again.active(now=NOON)) == 1


def test_nobody_takes_the_reservation_of_another(yard: Yard) -> None:
    reserve(yard.client.reservations)

    with pytest.raises(ConflictError, match="reserved by anna"):
        reserve(yard.client.reservations, user="jon")


def test_ones_own_reservation_is_replaced(yard: Yard) -> None:
    reserve(yard.client.reservations)

    reserve(yard.client.reservations, hours=5)

    assert [each.until for each in yard.client.reservations.active(now=NOON)] == [NOON + 5 * HOUR_S]


def test_a_reservation_ends_early_once(yard: Yard) -> None:
    reserve(yard.client.reservations)

    yard.client.reservations.end(host="ws1", slot="cpu-0", now=NOON)

    assert yard.client.reservations.active(now=NOON) == []
    with pytest.raises(NotFound):
        yard.client.reservations.end(host="ws1", slot="cpu-0", now=NOON)


def test_a_time_that_is_no_time_is_refused(yard: Yard) -> None:
    for hours in (0.0, -1.0, 400.0, float("nan")):
        with pytest.raises(UsageError, match="336 hours"):
            reserve(yard.client.reservations, hours=hours)


def test_a_reason_steers_no_terminal(yard: Yard) -> None:
    made = yard.client.reservations.reserve(
        host="ws1", slot="s", label="GPU 0", user="anna", hours=1, now=NOON, why=" a\x1b[2J\ndemo\u202e "
    )

    assert made.why == "a[2J demo"


def test_a_file_of_another_version_is_not_touched(yard: Yard) -> None:
    file = yard.client.home.path / FILE
    file.write_text('{"format": 99, "reservations": []}')

    with pytest.raises(FormatUnknown, match="another version"):
        reserve(yard.client.reservations)
    assert "99" in file.read_text()
