"""Which team's server this process talks to, if any, and where `runyard login` keeps its key.

The environment wins over the login file. Whoever names a home with RUNYARD_HOME means this home, and no server.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

import msgspec

from runyard.errors import UsageError

URL = "RUNYARD_URL"
TOKEN = "RUNYARD_TOKEN"
CA = "RUNYARD_CA"
HOME = "RUNYARD_HOME"

_NONE = ("", "local")  # values of RUNYARD_URL that ask for the home of this machine
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Server(msgspec.Struct, frozen=True, omit_defaults=True):
    """A team's server as a client sees it.

    Attributes:
        url: http or https, host, perhaps port and path; no slash at the end.
        token: the key of this machine; empty where the server asks for none.
        ca_file: the certificate that the server's own is checked against; None for those of the system.
    """

    url: str
    token: str = ""
    ca_file: str | None = None

    def __repr__(self) -> str:  # a token must not get into a log or a traceback
        return f"Server(url={self.url!r}, token={'…' if self.token else ''!r}, ca_file={self.ca_file!r})"


class _Logins(msgspec.Struct, omit_defaults=True):
    default: str | None = None
    servers: list[Server] = []


def current() -> Server | None:
    """The server that commands of this process mean; None: the home of this machine.

    RUNYARD_URL wins; what RUNYARD_TOKEN and RUNYARD_CA leave open is what `runyard login` remembered for this address.
    Without it, it is the server of the last login, unless RUNYARD_HOME names a home.

    Raises:
        UsageError: the address is none, or the login file is broken or open to others.
    """
    url = os.environ.get(URL)
    if url is None:
        return None if os.environ.get(HOME) else _default(_read(login_file()))
    if url.strip() in _NONE:
        return None
    return _named(normal(url, source=URL), os.environ)


def known(url: str) -> Server:
    """A server with what is known of its token and certificate, here or in the environment of this process.

    Raises:
        UsageError: the login file is broken or open to others.
    """
    named = os.environ.get(URL, "").strip()
    is_meant = named in _NONE or normal(named, source=URL) == url
    return _named(url, os.environ if is_meant else {})


def remember(server: Server) -> None:
    """Keep a server and its token for later commands, and make it the default one.

    Raises:
        UsageError: the address is none, or the login file is broken or open to others.
    """
    server = msgspec.structs.replace(server, url=normal(server.url))
    path = login_file()
    logins = _read(path)
    others = [each for each in logins.servers if each.url != server.url]
    _write(path, _Logins(default=server.url, servers=[*others, server]))


def forget(url: str) -> bool:
    """Forget a server and its token; whether it was known. No other one becomes the default.

    Raises:
        UsageError: the address is none, or the login file is broken or open to others.
    """
    url = normal(url)
    path = login_file()
    logins = _read(path)
    others = [each for each in logins.servers if each.url != url]
    if len(others) == len(logins.servers):
        return False
    _write(path, _Logins(default=None if logins.default == url else logins.default, servers=others))
    return True


def login_file() -> Path:
    """Where servers and tokens are kept: $XDG_CONFIG_HOME/runyard/servers.json, else below ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "runyard" / "servers.json"


def normal(url: str, *, source: str = "The address of a server") -> str:
    """An address in the one form in which addresses are compared: small letters, no slash at the end.

    Args:
        url: what somebody wrote.
        source: where it was written, for the message.

    Raises:
        UsageError: it is no address of a server.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        raise UsageError(f"{source} is '{url}', which is no address: {problem}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{source} is '{url}'; it must look like https://runyard.example:8420.")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"{source} holds a name or a password. Give the token with {TOKEN} or `runyard login` instead."
        )
    if parts.query or parts.fragment or any(sign <= " " for sign in url.strip()):
        raise UsageError(f"{source} is '{url}'; leave away what follows the path, and blanks.")
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port is None else f"{shown}:{port}"
    return urlunsplit(SplitResult(parts.scheme, netloc, parts.path.rstrip("/"), "", ""))


def _named(url: str, environment: Mapping[str, str]) -> Server:
    token, ca_file = environment.get(TOKEN), environment.get(CA)
    if token:  # then nothing has to be asked of the login file, which a container may lack or not be allowed to read
        return Server(url, token, ca_file or None)
    known = next((each for each in _read(login_file()).servers if each.url == url), Server(url))
    return Server(url, known.token, ca_file or known.ca_file)


def _default(logins: _Logins) -> Server | None:
    return next((each for each in logins.servers if each.url == logins.default), None)


def _read(path: Path) -> _Logins:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return _Logins()
    except OSError as problem:
        raise UsageError(f"{path} cannot be read ({problem.strerror}). It holds your logins; make it yours.") from None
    if mode & _OTHERS:
        raise UsageError(
            f"{path} holds tokens, but others may read it (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {path}"
        )
    try:
        return msgspec.json.decode(data, type=_Logins)
    except msgspec.MsgspecError as problem:
        raise UsageError(
            f"{path} cannot be understood ({problem}). Remove it, and run `runyard login` again."
        ) from None


def _write(path: Path, logins: _Logins) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(logins), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
