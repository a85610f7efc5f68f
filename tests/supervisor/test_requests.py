from pathlib import Path

import pytest

from runyard.journal import append_event
from runyard.journal.events import Event, Requeued, StopRequested
from runyard.supervisor.requests import StopRequests


def stop(attempt: int) -> StopRequested:
    return StopRequested(time_ns=1, by="anna", attempt=attempt)


@pytest.mark.parametrize(
    ("edits", "is_stopped"),
    [
        ([], False),
        ([stop(2)], True),
        ([stop(1)], False),
        ([stop(0)], True),  # cancelled while the attempt was starting
        ([stop(0), Requeued(time_ns=2, by="anna", after_attempt=1)], False),
        ([stop(1), Requeued(time_ns=2, by="anna", after_attempt=1), stop(2)], True),
    ],
)
def test_a_request_counts_unless_it_was_for_another_attempt_or_taken_back(
    tmp_path: Path, edits: list[Event], is_stopped: bool
) -> None:
    for event in edits:
        append_event(tmp_path / "edits.journal", event, run="r")

    request = StopRequests(tmp_path / "edits.journal", attempt=2).look()

    assert (request is not None) == is_stopped


def test_a_request_is_told_once(tmp_path: Path) -> None:
    requests = StopRequests(tmp_path / "edits.journal", attempt=1)
    append_event(tmp_path / "edits.journal", stop(1), run="r")

    assert requests.look() is not None
    assert requests.look() is None
