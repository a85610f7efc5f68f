import json
import os
from pathlib import Path

import pytest

from runyard.cli.main import run
from runyard.devices import Holder, SlotLock, lock_directory
from runyard.journal import MAIN
from tests.cli.builders import Yard, runyard


def checks(yard: Yard, capsys: pytest.CaptureFixture[str], *, code: int = 0) -> dict[str, tuple[str, str]]:
    assert run(["doctor", "--json"]) == code
    found = json.loads(capsys.readouterr().out)["checks"]
    return {check["topic"]: (check["level"], check["text"]) for check in found}


def test_a_healthy_home_is_in_order(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run()

    found = checks(yard, capsys)

    for topic in ("runyard", "packages", "home", "database", "index", "journals", "locks"):
        assert found[topic][0] == "ok", found[topic]
    assert found["index"] == ("ok", "1 run")


def test_the_report_ends_with_a_verdict(yard: Yard) -> None:
    done = runyard(yard.path, "doctor")

    assert done.returncode == 0
    assert done.stdout.startswith("ok    runyard")
    assert done.stdout.splitlines()[-1] in ("Everything is in order.", "0 bad, 1 to look at.")


def test_a_damaged_database_is_bad_and_says_what_to_do(yard: Yard) -> None:
    yard.run()
    yard.client.close()
    for file in yard.path.glob("runyard.db-*"):
        file.unlink()
    (yard.path / "runyard.db").write_bytes(b"not a database" * 1000)

    done = runyard(yard.path, "doctor")

    assert done.returncode == 1
    assert "bad   database" in done.stdout
    assert "runyard reindex" in done.stdout


def test_a_damaged_journal_is_named(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run(metrics={"x": [1.0] * 10})
    journal = yard.client.folder(row.id).attempt(1).journal(MAIN)
    data = bytearray(journal.read_bytes())
    data[-40] ^= 0xFF
    journal.write_bytes(bytes(data))

    level, text = checks(yard, capsys)["journal"]

    assert level == "warn"
    assert row.id in text
    assert "main.journal" in text


def test_folders_that_the_index_does_not_know_are_found(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run()
    yard.client.index.remove([row.id])

    assert checks(yard, capsys)["index"][0] == "warn"


def test_held_slots_are_shown_with_their_holder(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    lock = SlotLock("cpu-0")
    assert lock.try_acquire(Holder(pid=os.getpid(), user="anna", what="lr=0.1 of weld"))
    try:
        found = checks(yard, capsys)
    finally:
        lock.release()

    assert found["cpu-0"][1] == f"held by anna (lr=0.1 of weld, process {os.getpid()})"


def test_a_broken_lock_is_shown_and_a_stray_file_passed_over(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    (lock_directory() / "cpu-0.lock").mkdir()
    (lock_directory() / "no slot.lock").touch()

    found = checks(yard, capsys, code=1)

    assert found["cpu-0"][0] == "bad"
    assert "cpu-0.lock cannot be opened" in found["cpu-0"][1]
    assert found["locks"][0] == "ok"


def test_a_lock_folder_that_protects_nothing_is_told(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    lock_directory().chmod(0o777)

    assert checks(yard, capsys, code=1)["locks"][0] == "bad"


def test_variables_that_runyard_does_not_know_are_told(
    yard: Yard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_HOEM", "/x")

    assert run(["doctor"]) == 0

    assert "RUNYARD_HOEM is none that Runyard knows. Did you mean 'RUNYARD_HOME'?" in capsys.readouterr().out


def test_a_home_of_a_newer_format_is_bad(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text('{"format": 99}')

    done = runyard(tmp_path, "doctor")

    assert done.returncode == 1
    assert "bad   home" in done.stdout
