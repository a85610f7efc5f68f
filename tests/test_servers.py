import os
import stat
from pathlib import Path

import pytest

from runyard import servers
from runyard.errors import UsageError
from runyard.servers import Server


@pytest.fixture(autouse=True)
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the login file of these tests lies; nothing is in the environment."""
    for name in (servers.URL, servers.TOKEN, servers.CA, servers.HOME):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "runyard" / "servers.json"


def test_no_server_is_meant_without_a_login() -> None:
    assert servers.current() is None


def test_server_of_the_last_login_is_meant() -> None:
    servers.remember(Server("https://one.example", "a"))
    servers.remember(Server("https://Two.example:8420/", "b", "/etc/ca.pem"))

    assert servers.current() == Server("https://two.example:8420", "b", "/etc/ca.pem")


def test_environment_wins_over_the_login_file(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.remember(Server("https://one.example", "a"))
    monkeypatch.setenv(servers.URL, "http://127.0.0.1:8420")
    monkeypatch.setenv(servers.TOKEN, "t")
    monkeypatch.setenv(servers.CA, "ca.pem")

    assert servers.current() == Server("http://127.0.0.1:8420", "t", "ca.pem")


def test_token_of_a_named_server_comes_from_its_login(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.remember(Server("https://one.example", "a"))
    servers.remember(Server("https://two.example", "b"))
    monkeypatch.setenv(servers.URL, "https://one.example/")

    assert servers.current() == Server("https://one.example", "a")


@pytest.mark.parametrize("value", ["", "local"])
def test_no_server_is_meant_when_the_environment_says_so(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    servers.remember(Server("https://one.example", "a"))
    monkeypatch.setenv(servers.URL, value)

    assert servers.current() is None


def test_whoever_names_a_home_means_it(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.remember(Server("https://one.example", "a"))
    monkeypatch.setenv(servers.HOME, "/data/home")
    assert servers.current() is None

    monkeypatch.setenv(servers.URL, "https://one.example")
    assert servers.current() == Server("https://one.example", "a")


def test_forgotten_server_is_no_longer_meant(logins: Path) -> None:
    servers.remember(Server("https://one.example", "secret-a"))

    assert servers.forget("https://one.example/")

    assert servers.current() is None
    assert b"secret-a" not in logins.read_bytes()
    assert not servers.forget("https://one.example")


def test_login_file_is_for_its_owner_alone(logins: Path) -> None:
    old = os.umask(0)
    try:
        servers.remember(Server("https://one.example", "a"))
    finally:
        os.umask(old)

    assert stat.S_IMODE(logins.stat().st_mode) == 0o600
    assert [file.name for file in logins.parent.iterdir()] == ["servers.json"]


def test_login_file_that_others_may_read_is_refused(logins: Path) -> None:
    servers.remember(Server("https://one.example", "a"))
    logins.chmod(0o644)

    with pytest.raises(UsageError, match=r"mode 0644.*chmod 600"):
        servers.current()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"servers": [{"url": 3}]}', b"\xff"])
def test_broken_login_file_is_told(content: bytes, logins: Path) -> None:
    servers.remember(Server("https://one.example", "a"))
    logins.write_bytes(content)

    with pytest.raises(UsageError, match=r"servers\.json cannot be understood"):
        servers.current()


@pytest.mark.parametrize(
    "url",
    [
        "one.example",
        "ftp://one.example",
        "file:///etc/passwd",
        "https://",
        "https://one ex.ample",
        "https://a:b@one.example",
        "http://[::1",
        "http://x:y",
        "http://x:99999",
        "https://one.example/?a=1",
        "https://one.example/#a",
    ],
)
def test_address_that_is_none_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(servers.URL, url)

    with pytest.raises(UsageError, match=r"^RUNYARD_URL "):
        servers.current()


def test_addresses_are_compared_in_one_form() -> None:
    assert servers.normal(" HTTPS://Runyard.Example:8420/team/ ") == "https://runyard.example:8420/team"
    assert servers.normal("http://[::1]:8420") == "http://[::1]:8420"


def test_token_is_not_shown() -> None:
    assert "secret" not in repr(Server("https://one.example", "secret"))
