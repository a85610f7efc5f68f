"""What a worker's page says about runs that have left their slot."""

from runyard.cli.live import Ended
from runyard.queue import Counts
from runyard.records import RunState
from runyard.worker import Lane, Snapshot
from tests.cli.builders import Yard


def a_snapshot(*run_ids: str) -> Snapshot:
    lanes = tuple(Lane(slot=f"CPU {n}", state="running", run_id=run_id) for n, run_id in enumerate(run_ids))
    return Snapshot(
        at=0.0, lanes=lanes, counts=Counts(waiting=0, held=0, leased=len(lanes), paused=0), grids=(), eta_s=None
    )


def test_a_short_run_of_which_nothing_was_delivered_yet_is_not_taken_for_one_that_waits_again(yard: Yard) -> None:
    run_id = yard.run(state=RunState.QUEUED).id
    page = Ended(yard.client)
    page.notice(a_snapshot(run_id))
    yard.execute(run_id)  # its journals say how it ended, and the index has not heard of it

    ended = page.notice(a_snapshot())

    assert [row.state for row in ended] == ["COMPLETED"]
    assert "1 completed" in page.sentence()
