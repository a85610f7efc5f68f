"""Whatever is not in order in a home is named, and what can be is repaired, without losing a byte."""

import os
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from runyard.client import open_client
from runyard.client.care import Kind, verify
from runyard.database.schema import run_metrics, runs
from runyard.journal import HOST, MAIN
from tests.cli.builders import Yard
from tests.client.care.homes import NOW, fill, problems


def kinds(yard: Yard, *, mend: bool = False, quick: bool = False) -> list[tuple[Kind, bool]]:
    return [(problem.kind, problem.is_repaired) for problem in problems(yard.client, mend=mend, quick=quick)]


@pytest.mark.parametrize("quick", [False, True])
def test_a_healthy_home_is_in_order(yard: Yard, quick: bool) -> None:
    fill(yard)
    yard.run(state=None, metrics={"loss": [1.0]})

    found = verify(yard.client, quick=quick, now=NOW)

    assert found.problems == []
    assert found.is_in_order
    assert (found.runs, found.journals) == (4, 8)
    assert found.artifacts == len(yard.client.artifacts.sizes())


def test_a_torn_tail_is_named_cut_and_kept(yard: Yard) -> None:
    full, *_ = fill(yard)
    journal = yard.client.folder(full.id).attempt(1).journal(MAIN)
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[8:20])

    assert kinds(yard) == [(Kind.TORN, False)]
    assert journal.read_bytes() == whole + whole[8:20]
    assert kinds(yard, mend=True) == [(Kind.TORN, True)]
    assert kinds(yard) == []
    assert journal.read_bytes() == whole
    assert journal.with_name("main.journal.torn").read_bytes() == whole[8:20]


def test_what_was_cut_before_is_not_written_over(yard: Yard) -> None:
    full, *_ = fill(yard)
    edits = yard.client.folder(full.id).edits
    for torn in (b"one", b"two"):
        edits.write_bytes(edits.read_bytes() + torn)
        kinds(yard, mend=True)

    assert edits.with_name("edits.journal.torn").read_bytes() == b"one"
    assert edits.with_name("edits.journal.torn-2").read_bytes() == b"two"


def test_the_tail_of_a_live_journal_is_left_alone(yard: Yard) -> None:
    row = yard.run(state=None, metrics={"loss": [1.0]})
    journal = yard.client.folder(row.id).attempt(1).journal(MAIN)
    journal.write_bytes(journal.read_bytes()[:-5])

    assert kinds(yard, mend=True) == []


def test_a_damaged_record_is_named_and_what_follows_is_kept_beside(yard: Yard) -> None:
    row = yard.run(metrics={"loss": [1.0] * 10})
    journal = yard.client.folder(row.id).attempt(1).journal(MAIN)
    data = bytearray(journal.read_bytes())
    data[-200] ^= 0xFF
    journal.write_bytes(bytes(data))

    (problem,) = [each for each in problems(yard.client) if each.kind is Kind.JOURNAL]
    problems(yard.client, mend=True)

    assert problem.place == f"{row.id}/attempts/1/main.journal"
    assert "checksum" in problem.text
    assert journal.read_bytes() + journal.with_name("main.journal.torn").read_bytes() == bytes(data)
    assert kinds(yard) == []


def test_bytes_that_are_no_journal_and_a_run_json_that_is_none_are_named(yard: Yard) -> None:
    first, second = yard.run(), yard.run()
    yard.client.folder(first.id).attempt(1).journal(HOST).write_bytes(b"garbage, all of it")
    yard.client.folder(second.id).spec.write_text("{}")

    found = {(problem.kind, problem.place) for problem in problems(yard.client, mend=True)}

    assert found == {(Kind.JOURNAL, f"{first.id}/attempts/1/host.journal"), (Kind.RUN, second.id)}


def test_the_journal_of_another_run_is_named(yard: Yard) -> None:
    first, second = yard.run(metrics={"loss": [1.0]}), yard.run()
    place = yard.client.folder(second.id).attempt(1).journal(MAIN)
    place.write_bytes(yard.client.folder(first.id).attempt(1).journal(MAIN).read_bytes())

    assert [problem.text for problem in problems(yard.client)] == [f"This is the journal {first.id}/1/main."]


def test_a_damaged_file_is_put_aside_and_missing_then(yard: Yard) -> None:
    full, *_ = fill(yard)
    (file,) = yard.client.index.artifacts(full.id)
    path = yard.client.artifacts.path(file.sha256)
    path.chmod(0o644)
    path.write_bytes(b"rotten")

    assert kinds(yard, quick=True) == []
    assert kinds(yard) == [(Kind.FILE, False)]
    assert kinds(yard, mend=True) == [(Kind.FILE, True), (Kind.MISSING, False)]
    assert path.with_name(f"{file.sha256}.damaged").read_bytes() == b"rotten"
    yard.client.artifacts.put_bytes(b"w" * 3000)
    assert kinds(yard) == []


def test_a_missing_file_of_a_run_or_of_its_code_is_named(yard: Yard) -> None:
    full, *_ = fill(yard)
    for sha256 in yard.client.artifacts.sizes():
        if sha256 != full.code.snapshot:
            yard.client.artifacts.delete(sha256)

    found = [problem.text.partition(" (")[0] for problem in problems(yard.client)]

    assert sorted(found) == ["its code: src/train.py", "m", "old"]


def test_rows_that_say_something_else_are_folded_anew(yard: Yard) -> None:
    full, *_ = fill(yard)
    with yard.client.database.transaction() as tx:
        tx.execute(update(runs).where(runs.c.id == full.id).values(state="FAILED"))
        tx.execute(update(run_metrics).where(run_metrics.c.run_id == full.id).values(last=7.0))

    assert kinds(yard) == [(Kind.INDEX, False)]
    assert kinds(yard, mend=True) == [(Kind.INDEX, True)]
    assert kinds(yard) == []
    assert yard.client.index.get(full.id) == full


@pytest.mark.parametrize("quick", [False, True])
def test_rows_without_folders_go_and_runs_without_rows_come(yard: Yard, quick: bool) -> None:
    full, waiting, _ = fill(yard)
    yard.client.index.remove([full.id])
    os.rename(yard.client.folder(waiting.id).path, yard.path / "elsewhere")

    assert kinds(yard, quick=quick) == [(Kind.INDEX, False)]
    assert kinds(yard, mend=True, quick=quick) == [(Kind.INDEX, True)]
    assert kinds(yard, quick=quick) == []
    assert [row.id for row in yard.client.index.find()] == [full.id]
    assert yard.client.queue.rows() == []


def test_leftovers_are_named_after_a_day_and_removed(yard: Yard) -> None:
    fill(yard)
    (yard.path / "import-abc").mkdir()
    (yard.path / "runs" / "draft-0123456789").mkdir()
    upload = yard.path / "artifacts" / f".upload-{'0' * 64}"
    upload.write_bytes(b"a part")
    young = upload.stat().st_mtime + 3600

    fresh = verify(yard.client, mend=True, now=young)
    found = verify(yard.client, now=NOW)
    verify(yard.client, mend=True, now=NOW)

    assert fresh.problems == []
    assert {problem.place for problem in found.problems} == {
        "import-abc",
        "runs/draft-0123456789",
        f"artifacts/.upload-{'0' * 64}",
    }
    assert found.is_in_order
    assert not upload.exists()
    assert not (yard.path / "import-abc").exists()


def test_not_a_number_is_no_difference(yard: Yard) -> None:
    yard.run(metrics={"loss": [float("nan"), float("inf")]})

    assert kinds(yard) == []


def test_a_home_that_somebody_works_in_is_in_order(yard: Yard, tmp_path: Path) -> None:
    fill(yard)
    with closing(open_client(yard.path)) as other:
        row = yard.run(name="seen by one only")
        other.tag(row.id, add=["late"])

        assert kinds(yard) == []
