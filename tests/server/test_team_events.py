"""What a page hears on a server with accounts: nothing of others' projects, and nothing after the login has ended."""

import json
import threading

import pytest

from runyard.server.permissions import API
from runyard.server.routes import events
from tests.server.team import OPEN, PRIVATE, Team


def heard(team: Team, who: str, until: str) -> list[str]:
    """Runs that are named until one is."""
    named: list[str] = []
    headers = {"Authorization": f"Bearer {team.tokens[who]}"}
    with team.served.http.stream("GET", f"{API}/events", headers=headers, timeout=30) as stream:
        for line in stream.iter_lines():
            if line == ": here":
                threading.Thread(target=change, args=(team,), daemon=True).start()
            if line.startswith("data: "):
                named += json.loads(line.removeprefix("data: "))["runs"]
            if until in named:
                return named
    raise AssertionError(named)


def change(team: Team) -> None:
    """Tag a run of the private project, then one of the open one."""
    for project in (PRIVATE, OPEN):
        team.served.client.tag(newest(team, project), add=["x"])
        team.served.app.state.watcher.note([newest(team, project)])


def newest(team: Team, project: str) -> str:
    return team.served.client.index.find(None, project=project, limit=1)[0].id


def test_runs_of_others_are_not_named(team: Team) -> None:
    hidden, seen = newest(team, PRIVATE), newest(team, OPEN)

    assert hidden not in heard(team, "max", until=seen)
    assert hidden in heard(team, "mia", until=hidden)


def test_the_stream_ends_with_the_login(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_CHECK_S", 0.0)
    monkeypatch.setattr(events, "_HEARTBEAT_S", 0.1)
    headers = {"Authorization": f"Bearer {team.tokens['max']}"}
    with team.served.http.stream("GET", f"{API}/events", headers=headers, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": here"
        team.accounts.users.disable("max", by="ada")

        assert len(list(lines)) < 100  # it ends
