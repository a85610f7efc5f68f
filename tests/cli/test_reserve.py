"""`runyard reserve`: a slot for oneself."""

import time

import pytest

from runyard.cli.main import run
from tests.cli.builders import Yard


@pytest.fixture(autouse=True)
def two_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "2")


def test_a_slot_is_reserved_listed_and_given_back(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reserve", "1", "--for", "90m", "--why", "a demo"]) == 0
    assert "CPU 1 is reserved by" in capsys.readouterr().out
    assert run(["reserve"]) == 0
    assert "a demo" in capsys.readouterr().out
    (held,) = yard.client.reservations.active(now=time.time())
    assert (held.slot, held.until - held.since) == ("cpu-1", 5400)

    assert run(["reserve", "CPU 1", "--end"]) == 0

    assert yard.client.reservations.active(now=time.time()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7", "--for", "1h"], "'7' is no slot of this machine. It has CPU 0, CPU 1."),
        (["1"], "For how long?"),
        (["1", "--for", "soon"], "'soon' is no duration"),
        (["--for", "1h"], "Which slot?"),
        (["1", "--for", "400d"], "up to 336 hours"),
        (["1", "--end"], "is not reserved"),
    ],
)
def test_what_cannot_be_reserved_is_told_in_a_sentence(
    yard: Yard, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["reserve", *arguments]) == 2

    assert said in capsys.readouterr().err
