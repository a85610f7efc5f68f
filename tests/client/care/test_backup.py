"""A backup is a consistent copy, whatever happens while it is made, and a home can be made of it."""

import itertools
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runyard.accounts import Accounts, Role
from runyard.client import open_client
from runyard.client.care import backup, restore
from runyard.errors import ConflictError, FormatUnknown, UsageError
from runyard.journal import HOST, MAIN, Home
from runyard.records import RunState
from tests.cli.builders import Yard, environment
from tests.client.care.homes import everything, fill, killed, problems
from tests.postgresql import PostgreSQL

LIVE = """
import itertools, pathlib, select, sys
import runyard

with runyard.start_run("weld", config={"lr": 0.1}) as run:
    print(run.id, flush=True)
    for step in itertools.count():
        run.log({"loss": 1 / (step + 1)}, step=step)
        if step % 500 == 0:
            file = pathlib.Path(sys.argv[1]) / f"weights-{step}"
            file.write_bytes(step.to_bytes(8) * 1000)
            run.log_artifact(file)
            print(step, flush=True)
        if step % 20 == 0 and select.select([sys.stdin], [], [], 0.002)[0]:
            break
"""


def test_a_restored_home_is_as_it_was(yard: Yard, tmp_path: Path) -> None:
    rows = fill(yard)
    (yard.path / "views.json").write_text('{"format": 1, "views": {}}')

    done = backup(yard.client, tmp_path / "copy")
    restored = restore(tmp_path / "copy", tmp_path / "new")

    assert (done.runs, done.trashed, done.is_first, done.damaged, done.restless) == (2, 1, True, [], [])
    assert (restored.runs, restored.trashed, restored.users, restored.ended) == (2, 1, 0, [])
    assert everything(tmp_path / "new") == everything(yard.path)
    with closing(open_client(tmp_path / "new")) as client:
        assert [client.index.get(row.id) for row in rows] == rows
        assert [each.run_id for each in client.queue.rows()] == [rows[1].id]
        assert problems(client) == []


def test_a_second_backup_copies_only_what_is_new(yard: Yard, tmp_path: Path) -> None:
    full, *_ = fill(yard)
    backup(yard.client, tmp_path / "copy")

    idle = backup(yard.client, tmp_path / "copy")
    before = yard.client.folder(full.id).edits.stat().st_size
    yard.client.tag(full.id, add=["more"])
    grown = backup(yard.client, tmp_path / "copy")

    assert (idle.copied_files, idle.copied_bytes, idle.is_first) == (0, 0, False)
    assert grown.copied_files == 1
    assert grown.copied_bytes == yard.client.folder(full.id).edits.stat().st_size - before


def test_what_was_moved_or_deleted_for_good_is_so_in_the_backup(yard: Yard, tmp_path: Path) -> None:
    full, _, gone = fill(yard)
    backup(yard.client, tmp_path / "copy")
    (yard.client.folder(full.id).checkpoints / "epoch-1.pt").unlink()
    yard.client.trash([full.id])
    yard.client.restore([gone.id])
    backup(yard.client, tmp_path / "copy")

    assert (tmp_path / "copy" / "trash" / full.id / "run.json").exists()
    assert (tmp_path / "copy" / "runs" / gone.id / "run.json").exists()
    assert not (tmp_path / "copy" / "trash" / full.id / "checkpoints" / "epoch-1.pt").exists()

    from runyard.client import trash

    trash.empty(yard.client)
    backup(yard.client, tmp_path / "copy")

    assert not (tmp_path / "copy" / "trash" / full.id).exists()
    assert everything(tmp_path / "copy" / "artifacts") == everything(yard.path / "artifacts")


def test_a_journal_that_was_cut_and_grew_again_is_copied_anew(yard: Yard, tmp_path: Path) -> None:
    full, *_ = fill(yard)
    edits = yard.client.folder(full.id).edits
    whole = edits.read_bytes()
    edits.write_bytes(whole + b"torn")
    backup(yard.client, tmp_path / "copy")

    edits.write_bytes(whole)
    yard.client.tag(full.id, add=["later", "than", "the", "torn", "bytes"])
    backup(yard.client, tmp_path / "copy")

    assert (tmp_path / "copy" / "runs" / full.id / "edits.journal").read_bytes() == edits.read_bytes()


def test_a_live_run_is_copied_consistently_again_and_again(yard: Yard, tmp_path: Path) -> None:
    fill(yard)
    (tmp_path / "files").mkdir()
    live = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path / "files")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(yard.path),
    )
    assert live.stdout is not None
    run_id = live.stdout.readline().strip()
    for number in range(4):
        for _ in range(3):
            live.stdout.readline()
        done = backup(yard.client, tmp_path / "copy")
        restored = restore(tmp_path / "copy", tmp_path / f"new-{number}")
        assert run_id not in done.restless
        with closing(open_client(tmp_path / f"new-{number}")) as client:
            assert problems(client) == []
            assert client.index.get(run_id).summary["loss"].count > 0
            assert restored.ended == [run_id]
    live.communicate("enough")

    yard.client.refresh()
    while not RunState(yard.client.index.get(run_id).state).is_ended:  # its supervisor has a word to say still
        yard.client.refresh()
    backup(yard.client, tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "last")

    with closing(open_client(tmp_path / "last")) as client:
        assert client.index.get(run_id) == yard.client.index.get(run_id)
        assert {a.sha256 for a in client.index.artifacts(run_id)} == set(client.artifacts.sizes()) & {
            a.sha256 for a in yard.client.index.artifacts(run_id)
        }


def test_what_ran_when_the_backup_was_made_has_ended_in_the_restored_home(yard: Yard, tmp_path: Path) -> None:
    running = yard.run(state=None, metrics={"loss": [1.0]})
    queued = yard.run(state=None, is_queued=True)
    journal = yard.client.folder(running.id).attempt(1).journal(MAIN)
    journal.write_bytes(journal.read_bytes()[:-3])
    backup(yard.client, tmp_path / "copy")

    restored = restore(tmp_path / "copy", tmp_path / "new")

    assert set(restored.ended) == {running.id, queued.id}
    with closing(open_client(tmp_path / "new")) as client:
        assert client.index.get(running.id).state == RunState.INTERRUPTED
        assert "when the backup was made" in client.index.get(running.id).reason
        assert [each.run_id for each in client.queue.rows()] == [queued.id]
        assert problems(client) == []


def test_a_first_backup_killed_at_any_moment_is_refused_and_gone_on_with(yard: Yard, tmp_path: Path) -> None:
    fill(yard)
    for moment in (2, 5, 9):
        copy = tmp_path / f"copy-{moment}"

        assert killed("backup", copy, yard.path, moment=moment)

        with pytest.raises(UsageError, match="never completed"):
            restore(copy, tmp_path / "new")
        assert not (tmp_path / "new").exists()
        backup(yard.client, copy)
        restore(copy, tmp_path / f"new-{moment}")
        assert everything(tmp_path / f"new-{moment}") == everything(yard.path)


def test_a_later_backup_killed_at_any_moment_leaves_one_that_is_consistent(yard: Yard, tmp_path: Path) -> None:
    fill(yard)
    for moment in itertools.count(2, 3):
        copy = tmp_path / f"copy-{moment}"
        backup(yard.client, copy)
        yard.run(name=f"new-{moment}", metrics={"loss": [1.0] * 9}, files={"a": os.urandom(99), "b": os.urandom(99)})

        was_killed = killed("backup", copy, yard.path, moment=moment)
        restored = restore(copy, tmp_path / f"new-{moment}")

        assert restored.is_broken_off == was_killed
        with closing(open_client(tmp_path / f"new-{moment}")) as client:
            assert problems(client) == []
        if not was_killed:
            break
    assert moment > 5


def test_a_restore_killed_at_any_moment_is_no_home_and_is_gone_on_with(yard: Yard, tmp_path: Path) -> None:
    fill(yard)
    backup(yard.client, tmp_path / "copy")
    for moment in (1, 4, 8):
        new = tmp_path / f"new-{moment}"

        assert killed("restore", tmp_path / "copy", new, moment=moment)

        with pytest.raises(FormatUnknown, match="is being restored"):
            Home.open(new)
        restore(tmp_path / "copy", new)
        assert everything(new) == everything(yard.path)


def test_a_copy_that_a_power_cut_left_empty_is_made_anew(yard: Yard, tmp_path: Path) -> None:
    full, *_ = fill(yard)
    (file,) = yard.client.index.artifacts(full.id)
    backup(yard.client, tmp_path / "copy")
    (copy,) = (tmp_path / "copy" / "artifacts").rglob(file.sha256)
    copy.chmod(0o644)
    copy.write_bytes(b"")

    backup(yard.client, tmp_path / "copy")

    assert copy.read_bytes() == b"w" * 3000


def test_nothing_is_restored_into_a_folder_that_holds_something(yard: Yard, tmp_path: Path) -> None:
    backup(yard.client, tmp_path / "copy")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "precious").write_text("mine")

    with pytest.raises(UsageError, match="is not empty; nothing was restored"):
        restore(tmp_path / "copy", tmp_path / "new")

    assert os.listdir(tmp_path / "new") == ["precious"]


def test_a_folder_that_is_no_backup_is_refused_both_ways(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").write_text("mine")

    with pytest.raises(UsageError, match="is no backup"):
        backup(yard.client, tmp_path / "other")
    with pytest.raises(UsageError, match="is no backup"):
        restore(tmp_path / "other", tmp_path / "new")
    with pytest.raises(UsageError, match="in the home"):
        backup(yard.client, yard.path / "backup")

    assert os.listdir(tmp_path / "other") == ["precious"]


def test_the_backup_of_another_home_is_left_alone(yard: Yard, tmp_path: Path) -> None:
    with closing(open_client(tmp_path / "other-home")) as other:
        backup(other, tmp_path / "copy")
    before = everything(tmp_path / "copy")

    with pytest.raises(ConflictError, match="backup of another home"):
        backup(yard.client, tmp_path / "copy")

    assert everything(tmp_path / "copy") == before


def test_another_format_is_refused_by_naming_both(yard: Yard, tmp_path: Path) -> None:
    backup(yard.client, tmp_path / "copy")
    marker = tmp_path / "copy" / "backup.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"format": 9}))

    with pytest.raises(FormatUnknown, match="backup format 9; this Runyard knows format 1"):
        restore(tmp_path / "copy", tmp_path / "new")


def test_a_damaged_file_does_not_replace_the_good_one_of_the_backup(yard: Yard, tmp_path: Path) -> None:
    full, *_ = fill(yard)
    backup(yard.client, tmp_path / "copy")
    (file,) = yard.client.index.artifacts(full.id)
    yard.client.artifacts.delete(file.sha256)

    lost = backup(yard.client, tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "new")

    assert lost.only_here == [file.sha256]
    with closing(open_client(tmp_path / "new")) as client:
        assert client.artifacts.path(file.sha256).read_bytes() == b"w" * 3000


def test_a_file_that_is_damaged_before_it_is_copied_is_named(yard: Yard, tmp_path: Path) -> None:
    full, *_ = fill(yard)
    (file,) = yard.client.index.artifacts(full.id)
    path = yard.client.artifacts.path(file.sha256)
    path.chmod(0o644)
    path.write_bytes(b"rotten")

    assert backup(yard.client, tmp_path / "copy").damaged == [file.sha256]
    assert not list((tmp_path / "copy" / "artifacts").rglob(file.sha256))


def test_accounts_tokens_and_paused_projects_come_along(yard: Yard, tmp_path: Path) -> None:
    accounts = Accounts(yard.client.database)
    link = accounts.first_link()
    assert link is not None
    accounts.follow_link(link, "correct horse battery", name="ada", address="192.0.2.7")
    _, token = accounts.tokens.make("ada", label="box", by="ada")
    accounts.invite("mia", Role.MEMBER, by="ada")
    yard.client.queue.pause("weld", by="ada", now=1.0)
    backup(yard.client, tmp_path / "copy")

    restored = restore(tmp_path / "copy", tmp_path / "new")

    with closing(open_client(tmp_path / "new")) as client:
        again = Accounts(client.database)
        assert restored.users == 2
        assert again.of_token(token).name == "ada"
        assert again.authenticate("ada", "correct horse battery", address="192.0.2.7").role is Role.ADMIN
        assert again.audit.read() == accounts.audit.read()
        assert client.queue.paused() == yard.client.queue.paused()
        again.audit.write("ada", "goes on")
        assert again.audit.count() == accounts.audit.count() + 1


def test_a_backup_knows_no_difference_between_databases(
    yard: Yard, tmp_path: Path, postgresql_server: PostgreSQL
) -> None:
    rows = fill(yard)
    accounts = Accounts(yard.client.database)
    accounts.follow_link(accounts.first_link() or "", "correct horse battery", name="ada", address="192.0.2.7")
    backup(yard.client, tmp_path / "copy")

    with postgresql_server.database() as url:
        restore(tmp_path / "copy", tmp_path / "there", database=url)
        assert ((tmp_path / "there" / "database.url").stat().st_mode & 0o777) == 0o600
        with closing(open_client(tmp_path / "there")) as client:  # the home knows its database
            there = Accounts(client.database)
            assert [client.index.get(row.id) for row in rows] == rows
            assert there.audit.read() == accounts.audit.read()
            there.audit.write("ada", "goes on")
            assert problems(client) == []
            backup(client, tmp_path / "copy of PostgreSQL")
            audit = there.audit.read()
        with pytest.raises(UsageError, match="holds runs or accounts already; nothing was restored"):
            restore(tmp_path / "copy", tmp_path / "elsewhere", database=url)
        assert not (tmp_path / "elsewhere").exists()

    restore(tmp_path / "copy of PostgreSQL", tmp_path / "back")
    with closing(open_client(tmp_path / "back")) as client:
        again = Accounts(client.database)
        assert again.audit.read() == audit
        assert again.authenticate("ada", "correct horse battery", address="192.0.2.7").role is Role.ADMIN
        assert problems(client) == []


def test_two_commands_do_not_write_one_backup_at_once(yard: Yard, tmp_path: Path) -> None:
    import fcntl

    backup(yard.client, tmp_path / "copy")
    with (tmp_path / "copy" / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(ConflictError, match="Another command works with the backup"):
            backup(yard.client, tmp_path / "copy")
        with pytest.raises(ConflictError, match="Another command works with the backup"):
            restore(tmp_path / "copy", tmp_path / "new")


def test_a_file_on_its_way_into_the_store_is_in_the_backup(yard: Yard, tmp_path: Path) -> None:
    row = yard.run(state=None)
    files = yard.client.folder(row.id).attempt(1).files
    files.mkdir()
    (files / "late.bin").write_bytes(b"late")
    backup(yard.client, tmp_path / "copy")

    restore(tmp_path / "copy", tmp_path / "new")

    with closing(open_client(tmp_path / "new")) as client:
        (file,) = client.index.artifacts(row.id)
        assert client.artifacts.path(file.sha256).read_bytes() == b"late"
        assert client.folder(row.id).attempt(1).journal(HOST).exists()
