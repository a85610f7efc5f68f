"""What a run is, as its journals tell it: one test a rule."""

import pytest

from runyard.index.rows import from_ns
from runyard.journal.events import (
    Ended,
    Event,
    Failed,
    Finished,
    Held,
    Noted,
    Opened,
    Progress,
    Released,
    Renamed,
    Reordered,
    Requeued,
    Restored,
    StopRequested,
    Tagged,
    Trashed,
    Warned,
)
from tests.index.builders import Yard, at, ended, started

A_FAILURE = Failed(time_ns=at(8), type="ValueError", message="odd shape", traceback="…", fingerprint="f1")
HELD = Held(time_ns=at(1), by="anna", why="disk is full")
STOP_WAITING = StopRequested(time_ns=at(2), by="anna", why="typo")


def test_a_queued_run_waits(yard: Yard) -> None:
    yard.add(is_queued=True)

    assert (yard.run().state, yard.run().reason, yard.run().attempt) == ("QUEUED", "", 0)


@pytest.mark.parametrize(
    ("edits", "state", "reason"),
    [
        ([HELD], "HELD", "disk is full"),
        ([HELD, Released(time_ns=at(2), by="anna")], "QUEUED", ""),
        ([STOP_WAITING], "STOPPED", "stopped by anna: typo"),
        ([HELD, STOP_WAITING], "STOPPED", "stopped by anna: typo"),
        ([STOP_WAITING, Requeued(time_ns=at(3), by="jon", after_attempt=0)], "QUEUED", ""),
        ([STOP_WAITING, HELD, Requeued(time_ns=at(3), by="jon", after_attempt=0)], "HELD", "disk is full"),
    ],
)
def test_people_change_what_a_waiting_run_is(yard: Yard, edits: list[Event], state: str, reason: str) -> None:
    yard.add(is_queued=True)
    yard.edit(*edits)

    assert (yard.run().state, yard.run().reason) == (state, reason)


def test_only_a_supervisor_says_that_a_run_is_running(yard: Yard) -> None:
    yard.add()
    yard.journal().event(Opened(time_ns=at(1), pid=7))
    assert yard.run().state == "QUEUED"

    yard.journal(stream="host").event(started(0, devices=("GPU-1",), device_names=("RTX",), host="ws2"))

    run = yard.run()
    assert (run.state, run.attempt, run.host, run.devices, run.device_names) == (
        *("RUNNING", 1, "ws2"),
        *(("GPU-1",), ("RTX",)),
    )
    assert (run.started_at, run.ended_at, run.duration_s) == (from_ns(at(0)), None, None)


def test_an_external_run_runs_as_soon_as_its_process_is_there(yard: Yard) -> None:
    yard.add(kind="external")
    yard.journal().event(Opened(time_ns=at(1), pid=7))

    assert yard.run().state == "RUNNING"


def test_an_imported_run_is_believed_as_nobody_watched_it(yard: Yard) -> None:
    yard.add(kind="external")
    yard.journal().event(Opened(time_ns=at(1), pid=7), A_FAILURE)

    assert (yard.run().state, yard.run().reason, yard.run().fingerprint) == ("FAILED", "ValueError: odd shape", "f1")


def test_a_watched_process_does_not_end_a_run_by_its_own_word(yard: Yard) -> None:
    yard.add(kind="external")
    yard.journal(stream="host").event(started(0))
    yard.journal().event(Opened(time_ns=at(1), pid=7), Finished(time_ns=at(2)))

    assert yard.run().state == "RUNNING"


def test_the_supervisor_says_how_it_ended(yard: Yard) -> None:
    yard.add(is_queued=True)
    yard.journal(stream="host").event(started(0), ended(9, "FAILED"))
    yard.journal().event(A_FAILURE)

    run = yard.run()
    assert (run.state, run.reason, run.fingerprint) == ("FAILED", "ValueError: odd shape", "f1")
    assert (run.ended_at, run.duration_s) == (from_ns(at(9)), 9.0)
    assert yard.index.failure("r1") == A_FAILURE


def test_a_reaper_tells_the_end_when_the_supervisor_is_gone(yard: Yard) -> None:
    yard.add()
    yard.journal(stream="host").event(started(0))
    yard.edit(Ended(time_ns=at(5), state="INTERRUPTED", reason="ws1 was restarted", attempt=1))

    assert (yard.run().state, yard.run().reason) == ("INTERRUPTED", "ws1 was restarted")


def test_a_supervisor_knows_better_than_a_reaper(yard: Yard) -> None:
    yard.add()
    yard.edit(Ended(time_ns=at(5), state="LOST", attempt=1))
    yard.journal(stream="host").event(started(0), ended(4))

    assert yard.run().state == "COMPLETED"


def test_an_interrupted_run_goes_back_to_the_queue_as_often_as_it_may(yard: Yard) -> None:
    yard.add(is_queued=True, retries=1)
    for attempt in (1, 2):
        yard.journal(attempt=attempt, stream="host").event(
            started(10 * attempt), ended(10 * attempt + 5, "INTERRUPTED", reason="power cut")
        )
        if attempt == 1:
            assert (yard.run().state, yard.run().reason) == ("QUEUED", "interrupted: power cut; will resume")
            assert yard.run().ended_at is None

    assert (yard.run().state, yard.run().reason, yard.run().duration_s) == ("INTERRUPTED", "power cut", 10.0)


def test_a_retry_by_hand_counts_interruptions_anew(yard: Yard) -> None:
    yard.add(is_queued=True, retries=1)
    for attempt in (1, 2, 3):
        yard.journal(attempt=attempt, stream="host").event(
            started(10 * attempt), ended(10 * attempt + 5, "INTERRUPTED")
        )
    yard.edit(Requeued(time_ns=at(26), by="anna", after_attempt=2))

    assert yard.run().state == "QUEUED"


def test_a_run_that_does_not_queue_stays_interrupted(yard: Yard) -> None:
    yard.add()
    yard.journal(stream="host").event(started(0), ended(5, "INTERRUPTED"))

    assert yard.run().state == "INTERRUPTED"


def test_a_run_that_was_asked_to_stop_does_not_resume(yard: Yard) -> None:
    yard.add(is_queued=True)
    yard.journal(stream="host").event(started(0))
    yard.edit(StopRequested(time_ns=at(3), by="anna", attempt=1))
    assert yard.run().reason == "asked to stop by anna"

    yard.journal(stream="host").event(ended(5, "LOST"))

    assert yard.run().state == "LOST"


def test_a_run_that_waits_to_resume_can_be_cancelled_and_tried_again(yard: Yard) -> None:
    yard.add(is_queued=True)
    yard.journal(stream="host").event(started(0), ended(5, "INTERRUPTED"))
    yard.edit(StopRequested(time_ns=at(6), by="anna"))
    assert (yard.run().state, yard.run().ended_at) == ("STOPPED", from_ns(at(6)))

    yard.edit(Requeued(time_ns=at(7), by="anna", after_attempt=1))

    assert yard.run().state == "QUEUED"


def test_a_requeued_run_waits_until_its_next_attempt(yard: Yard) -> None:
    yard.add(is_queued=True)
    yard.journal(stream="host").event(started(0), ended(5, "FAILED"))
    yard.edit(Requeued(time_ns=at(6), by="anna", after_attempt=1))
    assert (yard.run().state, yard.run().fingerprint) == ("QUEUED", "")

    yard.journal(attempt=2, stream="host").event(started(10), ended(12))

    assert (yard.run().state, yard.run().attempt) == ("COMPLETED", 2)


def test_the_state_of_a_newer_runyard_is_not_guessed(yard: Yard) -> None:
    yard.add()
    yard.journal(stream="host").event(started(0), ended(5, "TELEPORTED"))

    assert yard.run().state == "LOST"


def test_names_notes_tags_and_places_are_the_latest(yard: Yard) -> None:
    yard.add(tags=("old", "kept"), note="first", priority=1)
    yard.journal().event(
        Tagged(time_ns=at(1), add=("auto", "gone")),
        Noted(time_ns=at(5), text="from code"),
        Warned(time_ns=at(1), text="!"),
    )
    yard.edit(
        Tagged(time_ns=at(2), add=("new",), remove=("old", "gone")),
        Noted(time_ns=at(4), text="by hand"),
        Renamed(time_ns=at(4), name="baseline"),
        Reordered(time_ns=at(4), by="anna", priority=5),
        Reordered(time_ns=at(5), by="anna", position=2.5),
    )

    run = yard.run()

    assert run.tags == ("auto", "kept", "new")
    assert (run.note, run.name, run.priority, run.position, run.warnings) == ("from code", "baseline", 5, 2.5, ("!",))


def test_the_trash_is_a_flag(yard: Yard) -> None:
    yard.add()
    yard.edit(Trashed(time_ns=at(1), by="anna"))
    assert yard.run().trashed
    assert yard.index.find() == []
    assert [run.id for run in yard.index.find(trashed=True)] == ["r1"]

    yard.edit(Restored(time_ns=at(2), by="anna"))

    assert not yard.run().trashed


def test_progress_gives_the_time_that_remains(yard: Yard) -> None:
    yard.add()
    yard.journal(attempt=1).event(Progress(time_ns=at(0), done=5, total=10))
    yard.journal(attempt=2).event(
        Progress(time_ns=at(100), done=2, total=10),
        Progress(time_ns=at(110), done=4, total=10, label="epoch"),
        Progress(time_ns=at(120), done=6, total=10, label="epoch"),
    )

    progress = yard.run().progress

    assert progress is not None
    assert (progress.done, progress.total, progress.label, progress.first_done) == (6, 10, "epoch", 2)
    assert (progress.first_at, progress.last_at) == (from_ns(at(100)), from_ns(at(120)))
    assert progress.remaining_s == 20.0


def test_a_single_report_of_progress_says_nothing_about_the_time(yard: Yard) -> None:
    yard.add()
    yard.journal().event(Progress(time_ns=at(0), done=5, total=10))

    progress = yard.run().progress

    assert progress is not None
    assert progress.remaining_s is None
