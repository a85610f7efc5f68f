"""Under which names the server answers, and which proxies it believes."""

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from runyard.errors import UsageError
from runyard.server.addressing import LOOPBACK, Addressing, Seen
from runyard.server.permissions import API
from tests.server.team import PASSWORD, team_at


def seen(addressing: Addressing, peer: str, **headers: str) -> Seen:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": []}
    return addressing.seen(scope, Headers(named))


def test_names_are_answered_with_any_port() -> None:
    ours = Addressing.of(["Runyard.Example", "192.168.1.5", "2001:db8::1"])

    for host in ("runyard.example", "RUNYARD.example:8420", "192.168.1.5:1", "[2001:db8::1]:8420", "localhost:8420"):
        assert ours.is_ours(Seen(host, "http", ""), 8420), host
    for host in ("", "evil.example", "runyard.example.evil", "x.runyard.example", "localhost:1", "localhost", "[::1"):
        assert not ours.is_ours(Seen(host, "http", ""), 8420), host


@pytest.mark.parametrize("name", ["", "https://a", "a/b", "a b", "ä.example", "x" * 254])
def test_a_name_that_is_none_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="no name of a machine"):
        Addressing.of([name])


def test_a_proxy_is_believed_where_it_was_named() -> None:
    behind = Addressing.of(["runyard.example"], LOOPBACK)
    told = {"host": "127.0.0.1:8420", "x_forwarded_host": "runyard.example", "x_forwarded_proto": "https"}

    assert seen(behind, "127.0.0.1", **told, x_forwarded_for="192.0.2.7") == Seen(
        "runyard.example", "https", "192.0.2.7"
    )
    assert seen(behind, "192.0.2.9", **told, x_forwarded_for="1.1.1.1") == Seen("127.0.0.1:8420", "http", "192.0.2.9")
    assert seen(Addressing(), "127.0.0.1", **told) == Seen("127.0.0.1:8420", "http", "127.0.0.1")


def test_a_client_cannot_invent_where_it_comes_from() -> None:
    behind = Addressing.of([], ["10.0.0.0/8"])

    assert seen(behind, "10.0.0.1", host="x", x_forwarded_for="6.6.6.6, 192.0.2.7, 10.0.0.2").client == "192.0.2.7"
    assert seen(behind, "10.0.0.1", host="x").client == "10.0.0.1"


def test_an_address_of_a_proxy_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="no address of a proxy"):
        Addressing.of([], ["proxy.example"])


def test_behind_a_proxy_with_tls_cookies_are_for_tls_alone(home: Path) -> None:
    addressing = Addressing.of(["runyard.example"], LOOPBACK)
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "runyard.example", "X-Forwarded-For": "192.0.2.7"}
    with team_at(home, addressing) as team:
        body = {"name": "vic", "password": PASSWORD}
        answer = team.ask(
            "POST", f"{API}/session", body=body, headers=forwarded | {"Origin": "https://runyard.example"}
        )
        foreign = team.ask(
            "POST", f"{API}/session", body=body, headers=forwarded | {"Origin": "http://runyard.example"}
        )

        assert answer.status_code == 200
        assert answer.headers["set-cookie"].startswith("__Host-runyard=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        assert foreign.status_code == 403
        assert team.accounts.audit.read(limit=1)[0].subject == "192.0.2.7"
        misdirected = team.ask("GET", f"{API}/session", headers=forwarded | {"X-Forwarded-Host": "evil.example"})
        assert misdirected.status_code == 421
        assert "--name" in misdirected.json()["error"]
