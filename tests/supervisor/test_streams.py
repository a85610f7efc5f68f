from pathlib import Path

from runyard.journal import JournalWriter
from runyard.journal.events import Tagged
from runyard.supervisor.streams import Follower


def test_follower_gives_each_event_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "main.journal", run="r", attempt=1, stream="main")
    follower = Follower(tmp_path / "main.journal")

    writer.event(Tagged(time_ns=1, add=("a",)))
    first = follower.read_all()
    writer.event(Tagged(time_ns=2, add=("b",)))
    second = follower.read_all()

    assert [event.time_ns for event in [*first, *second]] == [1, 2]
    assert follower.read_all() == []


def test_a_journal_that_somebody_deleted_has_nothing_more_to_say(tmp_path: Path) -> None:
    path = tmp_path / "main.journal"
    JournalWriter(path, run="r", attempt=1, stream="main").event(Tagged(time_ns=1, add=("a",)))
    follower = Follower(path)
    follower.read_all()

    path.unlink()

    assert follower.read_all() == []
