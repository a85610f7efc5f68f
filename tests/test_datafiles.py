"""Fingerprints of data: equal for equal data, and able to say what changed."""

import os
from pathlib import Path

import msgspec
import pytest

from runyard import datafiles
from runyard.client.travel import stored_by_journals
from runyard.datafiles import changed_files, fingerprint, is_same, read_listing
from runyard.journal import HOST, JournalWriter, RunFolder
from runyard.journal.events import DataSeen
from runyard.records import DataSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "deep").mkdir(parents=True)
    (made / "a.png").write_bytes(b"one")
    (made / "deep" / "b.png").write_bytes(b"three")
    return made


def test_folder_is_counted_and_listed(folder: Path) -> None:
    found = fingerprint("data.root", folder)

    assert (found.source.files, found.source.size_bytes, found.source.problem) == (2, 8, "")
    assert {name: size for name, (size, _) in read_listing(found.listing).items()} == {"a.png": 3, "deep/b.png": 5}


def test_a_copy_with_other_times_is_the_same_data(folder: Path) -> None:
    before = fingerprint("data.root", folder)
    os.utime(folder / "a.png", (1, 1))

    after = fingerprint("data.root", folder)

    assert before.source.times != after.source.times
    assert is_same(before.source, after.source) is True


def test_changed_added_and_removed_files_are_named(folder: Path) -> None:
    before = fingerprint("data.root", folder)
    (folder / "a.png").write_bytes(b"two")
    (folder / "deep" / "b.png").rename(folder / "c.png")

    after = fingerprint("data.root", folder)

    assert is_same(before.source, after.source) is False
    changes = changed_files(read_listing(before.listing), read_listing(after.listing))
    assert changes == {"changed": ["a.png"], "added": ["c.png"], "removed": ["deep/b.png"]}


def test_of_large_data_nothing_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafiles, "MOST_READ_BYTES", 4)
    before = fingerprint("data.root", folder)
    assert before.source.contents == ""
    assert is_same(before.source, fingerprint("data.root", folder).source) is True

    os.utime(folder / "a.png", (1, 1))
    touched = fingerprint("data.root", folder)
    (folder / "a.png").write_bytes(b"longer")
    longer = fingerprint("data.root", folder)

    assert is_same(before.source, touched.source) is None
    assert is_same(before.source, longer.source) is False


def test_what_is_known_is_not_read_again(folder: Path) -> None:
    first = fingerprint("data.root", folder)
    asked = []

    again = fingerprint("data.root", folder, known=lambda source: asked.append(source.times) or first)  # type: ignore[func-returns-value]  # append is meant to give None

    assert again is first
    assert asked == [first.source.times]


def test_a_single_file_and_a_circle_of_links_are_looked_at(folder: Path) -> None:
    (folder / "deep" / "circle").symlink_to(folder)

    assert fingerprint("x", folder).source.files == 2
    assert fingerprint("x", folder / "a.png").source.size_bytes == 3


def test_paths_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    found = fingerprint("x", tmp_path / "nothing")

    assert found.source.problem == f"{tmp_path / 'nothing'} cannot be read: No such file or directory."
    assert is_same(found.source, found.source) is None


def test_names_that_are_no_text_are_kept_apart(tmp_path: Path) -> None:
    for name in (b"\xff", b"\xfe"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"")

    assert sorted(read_listing(fingerprint("x", tmp_path).listing)) == ["\\xfe", "\\xff"]


def test_a_damaged_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no list of files"):
        read_listing(b"x")


def test_a_source_is_small_on_the_disk(folder: Path) -> None:
    assert len(msgspec.msgpack.encode(fingerprint("data.root", folder).source)) < 400


def test_list_of_files_travels_with_its_run(tmp_path: Path) -> None:
    attempt = RunFolder(tmp_path / "run1").attempt(1)
    attempt.path.mkdir(parents=True)
    sources = (DataSource(key="root", path="/data", listing="a" * 64), DataSource(key="tests/data", path="/tests"))
    journal = JournalWriter(attempt.journal(HOST), run="run1", attempt=1, stream=HOST)
    journal.event(DataSeen(time_ns=1, sources=sources))
    journal.close()

    assert stored_by_journals(attempt.run) == {"a" * 64}
