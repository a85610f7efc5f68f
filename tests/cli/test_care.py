"""`runyard backup`, `restore`, `verify`, `push`, `pull`, and `doctor` on a machine of a server."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runyard.cli.main import run
from runyard.client import open_client
from runyard.journal import MAIN
from runyard.records import RunState
from tests.cli.builders import Yard, runyard
from tests.server.serving import Served, serving
from tests.server.team import team_at

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def served(tmp_path: Path, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server that commands mean, beside the home of this machine."""
    with serving(tmp_path / "server") as served:
        monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{served.port}")
        yield served


def test_a_backup_and_the_way_back(yard: Yard, tmp_path: Path) -> None:
    row = yard.run(name="first", metrics={"loss": [1.0]}, files={"model": b"weights"})

    made = runyard(yard.path, "backup", str(tmp_path / "copy"))
    again = runyard(yard.path, "backup", str(tmp_path / "copy"), "--json")
    back = runyard(yard.path, "restore", str(tmp_path / "copy"), "--home", str(tmp_path / "new"))
    checked = runyard(tmp_path / "new", "verify")

    assert made.returncode == back.returncode == checked.returncode == 0, made.stderr + back.stderr + checked.stderr
    assert "1 run, 1 stored file; " in made.stdout
    assert json.loads(again.stdout)["copied_files"] == 0
    assert "1 run, 0 in the trash, 1 stored file, as of 20" in back.stdout
    assert "everything is in order" in checked.stdout
    with closing(open_client(tmp_path / "new")) as client:
        assert client.index.get(row.id).name == "first"


def test_a_restore_into_a_home_is_refused(yard: Yard, tmp_path: Path, capsys: Printed) -> None:
    assert run(["backup", str(tmp_path / "copy")]) == 0

    assert run(["restore", str(tmp_path / "copy"), "--home", str(yard.path)]) == 2

    assert "is not empty; nothing was restored" in capsys.readouterr().err


def test_verify_ends_with_1_until_it_is_repaired(yard: Yard, capsys: Printed) -> None:
    row = yard.run(metrics={"loss": [1.0]})
    journal = yard.client.folder(row.id).attempt(1).journal(MAIN)
    journal.write_bytes(journal.read_bytes() + b"torn")

    assert run(["verify"]) == 1
    told = capsys.readouterr()
    assert run(["verify", "--repair", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert run(["verify", "--quick"]) == 0

    assert f"wrong     torn      {row.id}/attempts/1/main.journal: 4 bytes from byte" in told.out
    assert "runyard verify --repair" in told.err
    assert [(each["kind"], each["is_repaired"]) for each in document["problems"]] == [("torn", True)]
    assert document["is_in_order"]


def test_runs_are_pushed_and_pulled(yard: Yard, served: Served, capsys: Printed) -> None:
    for name in ("one", "two"):
        yard.run(name=name, metrics={"loss": [1.0]})
    yard.run(name="running", state=None)

    assert run(["push", "--where", 'project == "weld"']) == 0
    pushed = capsys.readouterr()
    assert run(["push", "one", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    with closing(Yard(served.path).client) as there:
        row = there.index.find('name == "two"')[0]
        there.note(row.id, "from there")
    assert run(["pull", "two"]) == 0

    assert "2 runs pushed" in pushed.out
    assert "1 run left out, which did not end yet." in pushed.err
    assert [(each["is_new"], each["sent_bytes"]) for each in again["runs"]] == [(False, 0)]
    assert served.client.index.count() == 2
    assert yard.client.index.get(row.id).note == "from there"


def test_a_run_that_has_not_ended_is_not_pushed(yard: Yard, served: Served, capsys: Printed) -> None:
    row = yard.run(state=RunState.QUEUED)

    assert run(["push", row.id]) == 3

    assert "is QUEUED; it can travel once it has ended" in capsys.readouterr().err


def test_pushing_without_a_server_says_how_to_name_one(yard: Yard, capsys: Printed) -> None:
    assert run(["push", "last"]) == 2

    assert "No server is meant" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["backup", "copy"], ["verify"], ["reindex"], ["trash", "empty", "--yes"]], ids=lambda args: args[0]
)
def test_what_needs_the_home_itself_is_refused_from_afar(
    yard: Yard, served: Served, capsys: Printed, command: list[str]
) -> None:
    with closing(Yard(served.path).client) as there:
        there.trash([Yard(served.path).run().id])

    assert run(command) == 2

    error = capsys.readouterr().err
    assert f"works where the home is: run it on the machine of http://127.0.0.1:{served.port}" in error
    assert len(error.splitlines()) == 1


def test_doctor_looks_at_the_server(yard: Yard, served: Served, capsys: Printed) -> None:
    assert run(["doctor", "--json"]) == 0

    found = {check["topic"]: check["level"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {topic: found[topic] for topic in ("server", "version", "clock", "account", "on the way")} == {
        "server": "ok", "version": "ok", "clock": "ok", "account": "ok", "on the way": "ok"
    }  # fmt: skip
    assert "index" not in found


def test_doctor_says_that_a_server_is_away(yard: Yard, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{port}")

    assert run(["doctor"]) == 1

    assert "bad   server" in capsys.readouterr().out


def test_doctor_says_who_the_server_takes_us_for(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    with team_at(tmp_path / "server") as team:
        monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{team.served.port}")
        monkeypatch.setenv("RUNYARD_TOKEN", team.tokens["mia"])
        assert run(["doctor"]) == 0
        known = capsys.readouterr().out
        monkeypatch.setenv("RUNYARD_TOKEN", team.tokens["revoked"])
        assert run(["doctor"]) == 1
        revoked = capsys.readouterr().out

    assert "mia, member" in known
    assert team.tokens["mia"] not in known
    assert "runyard login" in revoked
