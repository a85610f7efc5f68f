"""Tags, notes, names, stop, retry, trash."""

import json
import shutil

import pytest

from runyard.cli.main import run
from runyard.records import RunState
from tests.cli.builders import Yard, runyard


def test_tags_are_added_and_removed(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run(name="x", tags=("old", "kept"))

    assert run(["tag", "x", "+new", "-old", "plain"]) == 0

    assert yard.client.index.get(row.id).tags == ("kept", "new", "plain")
    assert capsys.readouterr().out == f"{row.id} (x): kept, new, plain\n"


@pytest.mark.parametrize("tag", ["+", "+a\x1b[2Jb", "+" + "x" * 101, "+a,b", "+ a"])
def test_a_tag_that_is_none_is_refused(yard: Yard, tag: str) -> None:
    row = yard.run()

    assert run(["tag", "last", "+good", tag]) == 2

    assert yard.client.index.get(row.id).tags == ()


def test_notes_and_names_are_kept_as_they_are_written(yard: Yard) -> None:
    row = yard.run()

    assert run(["note", "last", "two\nlines [red]"]) == 0
    assert run(["rename", "last", "baseline v2"]) == 0
    assert run(["rename", "last", "bad\x1bname"]) == 2

    found = yard.client.index.get(row.id)
    assert (found.note, found.name) == ("two\nlines [red]", "baseline v2")


def test_a_retried_run_waits_again(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    failed = yard.run(state=RunState.FAILED)
    done = yard.run(state=RunState.COMPLETED)

    assert run(["retry", "--where", 'project == "weld"']) == 0

    assert yard.client.index.get(failed.id).state == RunState.QUEUED
    assert yard.client.index.get(done.id).state == RunState.COMPLETED
    assert "waits for attempt 2" in capsys.readouterr().out


def test_the_trash_gives_back_what_it_was_given(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run(name="x")

    assert run(["rm", "x", "--yes"]) == 0
    assert run(["runs"]) == 0
    listed = capsys.readouterr().out
    assert run(["trash"]) == 0
    in_trash = capsys.readouterr().out
    assert run(["trash", "restore", "x"]) == 0

    assert row.id not in listed
    assert row.id in in_trash
    assert not yard.client.index.get(row.id).trashed
    assert (yard.path / "runs" / row.id / "run.json").is_file()


def test_emptying_the_trash_frees_the_disk_and_says_how_much(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row, other = yard.run(files={"big": b"x" * 300_000, "shared": b"s"}), yard.run(files={"shared": b"s"})
    assert run(["rm", row.id, "-y"]) == 0
    assert run(["trash", "list", "--json"]) == 0
    size = json.loads(capsys.readouterr().out.partition("\n")[2])["runs"][0]["size_bytes"]

    assert run(["trash", "empty", "--yes"]) == 0

    assert size > 0
    assert "1 run deleted, 3" in capsys.readouterr().out
    assert not (yard.path / "trash" / row.id).exists()
    assert len(yard.client.artifacts.sizes()) == 1
    assert yard.client.index.artifacts(other.id)[0].name == "shared"


def test_rm_asks_and_without_anybody_to_answer_does_nothing(yard: Yard) -> None:
    row = yard.run()

    done = runyard(yard.path, "rm", row.id)

    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert not yard.client.index.get(row.id).trashed


def test_rm_takes_all_or_none(yard: Yard) -> None:
    ended, waiting = yard.run(), yard.run(state=RunState.QUEUED)

    assert run(["rm", ended.id, waiting.id, "--yes"]) == 3

    assert not yard.client.index.get(ended.id).trashed


def test_rm_needs_a_run_or_a_query(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rm", "--yes"]) == 2
    assert run(["rm", "--where", 'name == "nobody"', "--yes"]) == 0

    assert "nothing was moved" in capsys.readouterr().err


def test_reindex_counts_what_it_read_and_needs_no_database(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run()
    yard.run()
    shutil.rmtree(yard.path / "runs" / yard.run().id)

    assert run(["reindex"]) == 0

    assert capsys.readouterr().out.startswith("2 runs in ")
