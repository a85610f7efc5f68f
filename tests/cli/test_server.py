"""`runyard server` and what belongs to it: start and end, links, accounts from the command line, the unit."""

import json
import os
import pty
import re
import shutil
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from runyard.cli.server import Options
from runyard.cli.server_install import unit
from runyard.server.permissions import API
from runyard.server.running import is_loopback
from tests import warm
from tests.cli.builders import environment, runyard
from tests.cli.running import LINK, Running, running

PASSWORD = "correct horse battery"
DEPLOY = Path(__file__).parents[2] / "deploy"


def ask(
    url: str, method: str, path: str, body: object = None, token: str = "", verify: ssl.SSLContext | bool = True
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {"X-Runyard": "1"}
    with httpx.Client(trust_env=False, timeout=30, verify=verify) as client:
        return client.request(method, url + path, json=body, headers=headers)


def first_admin(server: Running) -> None:
    """Follow the link that the server printed."""
    link = LINK.search(server.lines[-1])
    assert link
    body = {"link": link[2], "password": PASSWORD, "name": "ada"}
    assert ask(server.url, "POST", f"{API}/links/follow", body).status_code == 200


def test_the_first_start_prints_a_link_for_the_admin_and_the_second_does_not(tmp_path: Path) -> None:
    with running(tmp_path, lines=3) as server:
        assert "becomes the admin; it is good once" in server.lines[1]
        first_admin(server)
        server.end()
        assert server.process.returncode == 0

    with running(tmp_path) as server:
        log = server.end()

    assert "welcome" not in log
    assert server.process.returncode == 0


def test_the_log_is_json_if_asked_for_and_holds_no_secret(tmp_path: Path) -> None:
    with running(tmp_path, "--log-json", lines=3) as server:
        link = LINK.search(server.lines[2])
        assert link
        lines = [json.loads(line) for line in server.end().splitlines()]

    assert [line["message"].split()[0] for line in lines] == ["listening", "ended"]
    assert {"at", "level", "logger", "message"} == set(lines[0])
    assert link[2] not in str(lines)


def test_two_servers_share_accounts_and_limits(tmp_path: Path) -> None:
    with running(tmp_path, lines=3) as one:
        first_admin(one)
        with running(tmp_path) as two:
            wrong = {"name": "ada", "password": "wrong password"}
            statuses = [ask((one, two)[n % 2].url, "POST", f"{API}/session", wrong).status_code for n in range(11)]

    assert statuses == [401] * 10 + [429]


def test_without_accounts_only_this_machine_is_served(tmp_path: Path) -> None:
    refused = runyard(tmp_path, "server", "--no-accounts", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "Listen on 127.0.0.1 instead" in refused.stderr

    with running(tmp_path, "--no-accounts") as server:
        assert ask(server.url, "GET", f"{API}/runs").status_code == 200


def test_what_is_loopback_is_known() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.5", "box", "127.0.0.1.example")] == [False] * 5


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--tls-cert", "x.pem"], "belong together"),
        (["--tls-cert", "x.pem", "--tls-key", "y.pem"], "no file x.pem"),
        (["--behind-proxy"], "has to know its name"),
        (["--proxy", "10.0.0.1"], "needs --behind-proxy"),
        (["--name", "https://x"], "no name of a machine"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path: Path, options: list[str], why: str) -> None:
    refused = runyard(tmp_path, "server", *options)

    assert refused.returncode == 2
    assert why in refused.stderr


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that nobody signed but itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command.split(), *names, "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


def test_with_tls_cookies_are_for_tls_and_a_machine_joins_with_the_certificate(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    files = ("--tls-cert", str(cert), "--tls-key", str(key), "--name", "localhost")
    with running(tmp_path / "home", *files, lines=3) as server:
        trusted = ssl.create_default_context(cafile=str(cert))
        link = LINK.search(server.lines[2])
        assert link
        body = {"link": link[2], "password": PASSWORD, "name": "ada"}
        followed = ask(server.url, "POST", f"{API}/links/follow", body, verify=trusted)
        assert followed.headers["set-cookie"].startswith("__Host-runyard=")
        assert "; Secure" in followed.headers["set-cookie"]
        token = runyard(tmp_path / "home", "server", "token", "add", "ada", "--label", "box").stdout.strip()

        refused = join(tmp_path, server.url, token)
        joined = join(tmp_path, server.url, token, "--ca", str(cert))

    assert refused.returncode == 4
    assert "is not trusted here" in refused.stderr
    assert joined.returncode == 0, joined.stderr
    assert "knows this machine as ada, admin" in joined.stdout


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("nothing")

    refused = runyard(tmp_path, "server", "--port", "0", "--tls-cert", str(file), "--tls-key", str(file))

    assert refused.returncode == 2
    assert "cannot be used" in refused.stderr


def join(folder: Path, url: str, token: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """`runyard login` on a machine with nothing on it."""
    return subprocess.run(
        [sys.executable, "-m", "runyard", "login", url, "--token", *options],
        input=token + "\n",
        env=on_another_machine(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )


def on_another_machine(folder: Path) -> dict[str, str]:
    """What is around a command where there is neither a home nor a login."""
    kept = {name: value for name, value in environment(folder).items() if name not in ("RUNYARD_HOME", "RUNYARD_URL")}
    return kept | {"HOME": str(folder / "me"), "XDG_CONFIG_HOME": str(folder / "me" / ".config")}


def test_a_machine_joins_and_leaves(tmp_path: Path) -> None:
    def command(*words: str) -> "subprocess.CompletedProcess[str]":
        return warm.call(["-m", "runyard", *words], cwd=tmp_path, env=on_another_machine(tmp_path))

    with running(tmp_path / "home", lines=3) as server:
        first_admin(server)
        token = runyard(tmp_path / "home", "server", "token", "add", "ada", "--label", "box").stdout.strip()

        assert "is no Runyard server" in join(tmp_path, server.url + "/nothing", token).stderr
        wrong = join(tmp_path, server.url, "ry_wrong")
        assert wrong.returncode == 2
        assert "does not take this token" in wrong.stderr
        assert join(tmp_path, server.url, token).returncode == 0
        known = command("whoami")
        assert known.stdout == f"ada, admin, at {server.url}\n"
        assert token not in (command("whoami", "--json").stdout + known.stdout)
        left = command("logout")
        assert "forgotten and the token is revoked" in left.stdout
        assert ask(server.url, "GET", f"{API}/runs", token=token).status_code == 401
    assert "No server is meant" in command("whoami").stdout
    assert command("logout").returncode == 2


def test_a_person_joins_with_name_and_password_typed_in(tmp_path: Path) -> None:
    with running(tmp_path / "home", lines=3) as server:
        first_admin(server)
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "runyard", "login", server.url],
            env=on_another_machine(tmp_path),
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        shown = wait_for(controller, b"Name")
        os.write(controller, b"ada\n")
        shown += wait_for(controller, b"Password: ")
        os.write(controller, PASSWORD.encode() + b"\n")
        shown += wait_for(controller, b"knows this machine as ada, admin")
        assert process.wait(60) == 0
        os.close(controller)

    assert PASSWORD.encode() not in shown
    file = tmp_path / "me" / ".config" / "runyard" / "servers.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()


def wait_for(terminal: int, text: bytes) -> bytes:
    """Read a terminal until it shows a text."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 1000)
    return shown


def test_an_admin_manages_accounts_on_the_server_s_machine(tmp_path: Path) -> None:
    def command(*words: str) -> str:
        done = runyard(tmp_path, "server", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert LINK.search(command("user", "add", "mia", "--role", "viewer"))
    assert LINK.search(command("user", "reset", "mia"))
    assert "'mia' is admin now" in command("user", "role", "mia", "admin")
    users = json.loads(command("user", "list", "--json"))["users"]
    assert [(user["name"], user["role"], user["has_password"]) for user in users] == [("mia", "admin", False)]
    assert "shut out" in command("user", "disable", "mia")
    assert "may log in again" in command("user", "enable", "mia")
    token = command("token", "add", "mia", "--label", "box", "--project", "a", "--days", "3", "--role", "member")
    assert re.fullmatch(r"ry_\S{43}\n", token)
    listed = json.loads(command("token", "list", "mia", "--json"))["tokens"][0]
    assert (listed["label"], listed["projects"], listed["role"]) == ("box", ["a"], "member")
    assert "'box' of mia is revoked" in command("token", "revoke", listed["id"])
    assert "is private" in command("project", "private", "a")
    assert command("project", "members", "a", "mia") == "mia\n"
    assert "is open to all" in command("project", "open", "a")
    assert "box" in command("token", "list")
    refused = runyard(tmp_path, "server", "user", "role", "mia", "king")
    assert (refused.returncode, "choose viewer, member, admin" in refused.stderr) == (2, True)


SYSTEM = Options(is_behind_proxy=True, names=("runyard.example",))


def test_the_unit_in_deploy_is_what_install_writes() -> None:
    written = unit(SYSTEM, program="/opt/runyard/bin/runyard", user="runyard", is_system=True)

    assert (DEPLOY / "runyard.service").read_text() == written


def test_the_unit_says_how_the_server_is_called(tmp_path: Path) -> None:
    options = Options(home="/srv/run yard", host="0.0.0.0", port=1, names=("a", "b"), is_log_json=True)

    text = unit(options, program="/usr/bin/runyard", user=None, is_system=False)

    assert "--host 0.0.0.0 --port 1 --name a --name b --log-json" in text
    assert "WantedBy=default.target" in text
    assert "User=" not in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="only Linux with systemd can verify a unit")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = unit(SYSTEM, program="/bin/true", user="root", is_system=True)
    file = tmp_path / "runyard.service"
    file.write_text(text)

    checked = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)

    assert not [line for line in checked.stderr.splitlines() if "runyard.service" in line], checked.stderr


def test_install_writes_the_unit(tmp_path: Path) -> None:
    options = ("server", "--name", "box.example", "install", "--folder", str(tmp_path / "units"), "--user", "runyard")
    done = runyard(tmp_path, *options)

    assert done.returncode == 0, done.stderr
    assert "enable --now runyard" in done.stdout
    assert "--name box.example" in (tmp_path / "units" / "runyard.service").read_text()


def test_the_compose_file_calls_the_server_with_options_that_exist(tmp_path: Path) -> None:
    services = YAML(typ="safe").load((DEPLOY / "compose.yml").read_text())["services"]
    words = services["runyard"]["command"]
    assert words[0] == "server"
    asked = runyard(tmp_path, "server", "--help").stdout

    for word in words[1:]:
        assert f"  {word.split('=')[0]} " in asked
    assert services["database"]["image"].startswith("postgres:")
