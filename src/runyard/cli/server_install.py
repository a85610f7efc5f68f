"""`runyard server install`: a systemd unit, so that the server is there after every start of the machine."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from runyard.cli import screen
from runyard.cli.server import Options
from runyard.errors import UsageError
from runyard.hosts import user_name

NAME = "runyard.service"
_SYSTEM = Path("/etc/systemd/system")


def install(options: Options, *, folder: Path | None, user: str | None) -> None:
    """Write the unit: for root that of the system, else one of the user; and say how to start it."""
    is_system = os.geteuid() == 0
    if user is None and is_system:
        raise UsageError("The server should not run as root. Say as whom: runyard server install --user runyard")
    place = folder or (_SYSTEM if is_system else _user_folder())
    path = place / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(unit(options, program=_program(), user=user, is_system=is_system))
    control = "systemctl" if is_system else "systemctl --user"
    screen.say(f"{path} is written. Start the server now and with the machine:")
    screen.say(f"  {control} daemon-reload && {control} enable --now runyard")
    if not is_system:
        screen.say(f"  loginctl enable-linger {user_name()}      so that it runs when you are not logged in")
    screen.say(f"Its log, where the link for the first admin is: journalctl {'' if is_system else '--user '}-u runyard")


def unit(options: Options, *, program: str, user: str | None, is_system: bool) -> str:
    """The text of the unit. What the server does not need, it may not: it starts no process of a user."""
    home = options.home or ("/var/lib/runyard" if is_system else "%h/.runyard")
    lines = [
        "[Unit]",
        "Description=Runyard, runs and machines of a team",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        f"ExecStart={_command(options, program, home)}",
        "Restart=on-failure",
        "RestartSec=2",
        "TimeoutStopSec=30",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        f"ReadWritePaths={home}",
        "PrivateTmp=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "LockPersonality=yes",
        "UMask=0077",
    ]
    if is_system:
        lines += [f"User={user}", "ProtectHome=read-only", "ProtectKernelTunables=yes", "ProtectControlGroups=yes"]
        if home == "/var/lib/runyard":
            lines.append("StateDirectory=runyard")
    lines += ["", "[Install]", f"WantedBy={'multi-user.target' if is_system else 'default.target'}", ""]
    return "\n".join(lines)


def _command(options: Options, program: str, home: str) -> str:
    words = [program, "--home", home, "server", "--host", options.host, "--port", str(options.port)]
    for name in options.names:
        words += ["--name", name]
    if options.database:
        words += ["--database", options.database]
    if options.tls_cert and options.tls_key:
        words += ["--tls-cert", str(options.tls_cert.absolute()), "--tls-key", str(options.tls_key.absolute())]
    if options.is_behind_proxy:
        words.append("--behind-proxy")
    for proxy in options.proxies:
        words += ["--proxy", proxy]
    if options.is_log_json:
        words.append("--log-json")
    # systemd reads % and $ in a command itself; the home may hold its %h
    escaped = [word if word == home else word.replace("%", "%%").replace("$", "$$") for word in words]
    return " ".join(shlex.quote(word) if word != home else word for word in escaped)


def _program() -> str:
    beside = Path(sys.executable).with_name("runyard")
    found = str(beside) if beside.is_file() else shutil.which("runyard")
    if not found:
        raise UsageError("The program `runyard` is not beside this Python and not on the PATH. Install Runyard there.")
    return found


def _user_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "systemd" / "user"
