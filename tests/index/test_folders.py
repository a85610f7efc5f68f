"""Catching up with the folders of a home."""

import os
import shutil

import pytest

from runyard.errors import JournalDamaged, NotFound
from runyard.index import Index
from runyard.index.folders import PIECE_BYTES
from runyard.journal.events import Media, Opened, Tagged, Trashed
from runyard.journal.reader import repair
from tests.index.builders import Yard, a_spec, at, ended, started


def test_runs_that_nobody_announced_are_found(yard: Yard) -> None:
    yard.add(kind="external")
    yard.journal().event(Opened(time_ns=at(0), pid=1)).log(1, {"loss": 0.5})

    assert yard.index.catch_up() == []

    assert [(run.id, run.state) for run in yard.index.find()] == [("r1", "RUNNING")]


def test_a_second_look_applies_only_what_is_new(yard: Yard) -> None:
    yard.add()
    yard.journal().log(1, {"loss": 0.5})
    yard.index.catch_up()
    yard.journal().log(2, {"loss": 0.4})
    yard.add(a_spec("r2"))

    assert yard.index.catch_up() == []

    assert yard.index.get("r1").summary["loss"].count == 2
    assert yard.index.known(["r2"]) == {"r2"}


def test_ended_runs_are_looked_at_only_when_asked_for(yard: Yard) -> None:
    yard.add()
    yard.journal(stream="host").event(started(), ended(1))
    yard.index.catch_up()
    yard.edit(Tagged(time_ns=at(2), add=("late",)))

    yard.index.catch_up()
    assert yard.index.get("r1").tags == ()

    yard.index.catch_up("r1")
    assert yard.index.get("r1").tags == ("late",)


def test_a_journal_that_was_cut_is_folded_anew(yard: Yard) -> None:
    yard.add()
    yard.journal().log_many(range(10), {"loss": [1.0] * 9 + [0.1]}).event(Tagged(time_ns=at(1), add=("x",)))
    yard.index.catch_up()
    assert yard.index.get("r1").tags == ("x",)
    path = yard.index.journal_path("r1", 1, "main")

    os.truncate(path, path.stat().st_size - 90)
    repair(path)
    yard.index.catch_up()

    run = yard.index.get("r1")
    assert (run.tags, run.summary["loss"].min, run.summary["loss"].count) == (
        (),
        1.0,
        len(yard.index.series("r1", "loss")),
    )
    assert run.summary["loss"].count < 10
    grown = yard.rows()
    yard.index.reindex()
    assert yard.rows() == grown


def test_a_journal_that_was_emptied_leaves_no_metric(yard: Yard) -> None:
    yard.add()
    yard.journal().log(1, {"loss": 1.0})
    yard.index.catch_up()

    os.truncate(yard.index.journal_path("r1", 1, "main"), 0)
    yard.index.catch_up()

    assert (yard.index.keys("r1"), yard.index.get("r1").summary) == ([], {})


def test_a_record_larger_than_a_piece_is_read_whole(yard: Yard) -> None:
    yard.add()
    large = Media(time_ns=at(0), key="x", step=0, kind="image", mime="", data=b"x" * (PIECE_BYTES + 10))
    yard.journal().log(1, {"loss": 1.0}).event(large).log(2, {"loss": 0.5})

    assert yard.index.catch_up() == []

    assert yard.index.series("r1", "loss").steps.tolist() == [1, 2]
    assert len(yard.index.media("r1")) == 1


def test_a_long_journal_is_applied_piece_by_piece(yard: Yard) -> None:
    yard.add()
    count = 2 * PIECE_BYTES // 36 + 1000
    yard.journal().log_many(range(count), {"loss": [0.5] * count})

    yard.index.catch_up()

    assert yard.index.get("r1").summary["loss"].count == count
    assert len(yard.index.series("r1", "loss")) == count


def test_runs_in_the_trash_keep_their_series_until_it_is_emptied(yard: Yard) -> None:
    yard.add()
    yard.journal().log(1, {"loss": 1.0})
    yard.edit(Trashed(time_ns=at(1), by="anna"))
    yard.index.catch_up()
    shutil.move(yard.home.run("r1").path, yard.home.trash / "r1")

    assert yard.index.catch_up("r1") == []
    assert yard.index.series("r1", "loss").values.tolist() == [1.0]

    yard.index.remove(["r1"])

    assert all(rows == [] for rows in yard.rows().values())


def test_a_folder_without_a_spec_is_reported_until_it_has_one(yard: Yard) -> None:
    folder = yard.home.run("r1")
    folder.path.mkdir()
    assert len(yard.index.catch_up()) == 1

    with pytest.raises(NotFound, match="There is no run 'r1'"):
        yard.index.catch_up("r1")
    shutil.rmtree(folder.path)
    yard.add()

    assert yard.index.catch_up() == []
    assert yard.index.known(["r1"]) == {"r1"}


def test_a_renamed_folder_is_no_run(yard: Yard) -> None:
    os.rename(yard.add().path, yard.home.runs / "r2")

    with pytest.raises(JournalDamaged, match="belongs to run r1"):
        yard.index.read_spec("r2")


def test_offsets_are_those_of_the_applied_bytes(yard: Yard) -> None:
    yard.add()
    assert yard.index.offset("r1", 1, "main") == 0
    data = yard.journal().log(1, {"loss": 1.0}).data
    yard.index.catch_up()

    assert Index(yard.database, yard.home).offset("r1", 1, "main") == len(data)
