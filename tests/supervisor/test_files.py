"""Logged files on their way into the artifact store."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runyard.journal import HOST, Attempt, JournalWriter
from runyard.journal.events import ArtifactStored, FileLogged
from runyard.supervisor.delivery import Delivery
from runyard.supervisor.files import LoggedFiles
from tests.supervisor.bench import Bench, events


@dataclass
class Place:
    """An attempt whose files are to be moved."""

    bench: Bench
    attempt: Attempt
    files: LoggedFiles

    def a_file(self, name: str, content: str) -> FileLogged:
        """A file that training code logged."""
        path = self.attempt.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return FileLogged(time_ns=1, name=name)

    def stored(self) -> dict[str, str]:
        """Names and contents of what is in the store, as the journal tells it."""
        found = events(self.attempt.run, ArtifactStored)
        return {event.name: self.bench.client.artifacts.path(event.sha256).read_text() for event in found}


@pytest.fixture
def place(bench: Bench) -> Iterator[Place]:
    attempt = bench.a_run().attempt(1)
    attempt.path.mkdir(parents=True)
    journal = JournalWriter(attempt.journal(HOST), run=attempt.run.id, attempt=1, stream=HOST)
    delivery = Delivery(attempt, connect=lambda: bench.client, warn=lambda text: None)
    yield Place(bench, attempt, LoggedFiles(attempt, journal=journal, delivery=delivery))
    journal.close()


def test_a_file_is_moved_under_its_name(place: Place) -> None:
    place.files.add(place.a_file("predictions/val.csv", "1,2"))

    assert place.files.move()

    assert place.stored() == {"predictions/val.csv": "1,2"}
    place.files.finish()
    assert not place.attempt.files.exists()


def test_large_files_wait_until_the_end(place: Place) -> None:
    place.files.add(place.a_file("large", "x" * 1_000))

    assert not place.files.move(largest_bytes=999)
    assert place.stored() == {}
    assert place.files.move(largest_bytes=None)
    assert list(place.stored()) == ["large"]


def test_a_file_that_was_logged_twice_ends_with_its_last_content(place: Place) -> None:
    place.files.add(place.a_file("a", "first"))
    place.files.move()
    place.files.add(place.a_file("a", "second"))
    place.files.move()

    assert place.stored() == {"a": "second"}


def test_two_events_for_one_file_store_it_once(place: Place) -> None:
    place.files.add(place.a_file("a", "first"))
    place.files.add(place.a_file("a", "second"))

    assert place.files.move()

    assert len(events(place.attempt.run, ArtifactStored)) == 1
    assert place.stored() == {"a": "second"}


@pytest.mark.parametrize("name", ["../run.json", "/etc/passwd", "a/../../b", ""])
def test_a_name_that_leads_elsewhere_is_passed_over(place: Place, name: str) -> None:
    place.files.add(FileLogged(time_ns=1, name=name))

    assert place.files.move()
    assert place.stored() == {}


def test_forgotten_files_are_found_and_drafts_are_not(place: Place) -> None:
    place.a_file("forgotten", "x")
    place.a_file(".model.12.part", "half")

    place.files.add_forgotten()
    place.files.move(largest_bytes=None)

    assert place.stored() == {"forgotten": "x"}


def test_a_store_that_fails_is_asked_again(place: Place, bench: Bench, tmp_path: Path) -> None:
    place.files.add(place.a_file("a", "1"))
    kept = bench.client.artifacts
    del bench.client.artifacts  # the store is away

    assert not place.files.move()
    bench.client.artifacts = kept
    assert place.files.move()
    assert place.stored() == {"a": "1"}
