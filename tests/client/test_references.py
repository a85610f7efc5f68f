"""What a run refers to travels with it: also the list of the data that it saw."""

from pathlib import Path

from runyard.client.travel import stored_by_journals
from runyard.journal import HOST, JournalWriter, RunFolder
from runyard.journal.events import DataSeen
from runyard.records import DataSource, RunId


def test_lists_of_data_are_among_the_files_of_a_run(tmp_path: Path) -> None:
    attempt = RunFolder(tmp_path / "run1").attempt(1)
    attempt.path.mkdir(parents=True)
    sources = (DataSource(key="root", path="/data", listing="a" * 64), DataSource(key="tests/data", path="/tests"))
    with JournalWriter(attempt.journal(HOST), run=RunId("run1"), attempt=1, stream=HOST) as journal:
        journal.event(DataSeen(time_ns=1, sources=sources))

    assert stored_by_journals(attempt.run) == {"a" * 64}
