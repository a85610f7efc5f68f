"""`runyard server`: one place for the runs of all machines of a team."""

import logging
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runyard import __version__
from runyard.accounts import Accounts, passwords
from runyard.cli import screen
from runyard.cli.progress import progress_bar
from runyard.client import Client, open_client
from runyard.errors import UsageError
from runyard.hosts import host_name
from runyard.journal import Home
from runyard.journal.dashboards import announced
from runyard.server import create_app, serve
from runyard.server.addressing import LOOPBACK, Addressing
from runyard.server.logs import configure
from runyard.server.running import Tls, is_loopback, listen

DEFAULT_PORT = 8420
_ANYWHERE = ("0.0.0.0", "::")
_log = logging.getLogger("runyard.server")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `runyard server` was told."""

    home: str | None = None
    database: str | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    names: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    is_behind_proxy: bool = False
    proxies: tuple[str, ...] = ()
    has_accounts: bool = True
    is_log_json: bool = False


def server(options: Options) -> None:
    """Serve a home to a team until SIGTERM or Ctrl-C."""
    if options.has_accounts:
        passwords.require()
    tls = _tls(options)
    addressing = Addressing.of(_names(options), _proxies(options))
    configure(as_json=options.is_log_json)
    with listen(options.host, options.port, has_accounts=options.has_accounts) as listener:
        address = address_of(options, listener.getsockname()[1])
        home = home_of(options.home)
        with closing(open_client(home, database=options.database)) as client:
            client.artifacts.check()
            _rebuild_if_needed(client)
            accounts = Accounts(client.database) if options.has_accounts else None
            app = create_app(home, database=options.database, accounts=accounts, addressing=addressing)

            def ready() -> None:
                screen.say(f"Runyard {__version__} is at {address}/   Ctrl-C ends it.")
                _log.info("listening at %s, home %s", address, home.path)
                if accounts is not None:
                    accounts.note_address(address)
                    _welcome(accounts, address)
                _warn(options)

            with announced(home, address):
                serve(app, listener, on_ready=ready, tls=tls)
    _log.info("ended")


def home_of(path: str | None) -> Home:
    """The home that a server on this machine serves; never that of another server."""
    return Home.open(path or os.environ.get("RUNYARD_HOME") or Path.home() / ".runyard")


def link_of(address: str, key: str) -> str:
    """Where somebody chooses a password. What is behind # stays in the browser, and so in no log."""
    return f"{address}/#/welcome/{key}"


def address_of(options: Options, port: int) -> str:
    """Under which address people reach the server, as far as it is known."""
    own = host_name() if options.host in _ANYWHERE else options.host
    host = options.names[0] if options.names else own
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    if options.is_behind_proxy:
        return f"https://{shown}"
    return f"{'https' if options.tls_cert else 'http'}://{shown}:{port}"


def _welcome(accounts: Accounts, address: str) -> None:
    key = accounts.first_link()
    if key is not None:
        screen.say("Nobody can log in yet. Whoever opens this within a day becomes the admin; it is good once:")
        screen.say(f"  {link_of(address, key)}")


def _warn(options: Options) -> None:
    if not (is_loopback(options.host) or options.tls_cert or options.is_behind_proxy):
        _log.warning(
            "passwords and tokens travel unencrypted to %s; use --tls-cert and --tls-key, or a proxy with "
            "--behind-proxy",
            options.host,
        )


def _names(options: Options) -> tuple[str, ...]:
    """The given ones, and those that nobody else can point at this machine."""
    if is_loopback(options.host):
        return options.names
    own = host_name() if options.host in _ANYWHERE else options.host
    return (*options.names, own)


def _proxies(options: Options) -> tuple[str, ...]:
    if options.proxies and not options.is_behind_proxy:
        raise UsageError("--proxy says which proxy is believed; it needs --behind-proxy.")
    if options.is_behind_proxy and not options.names:
        raise UsageError("Behind a proxy the server has to know its name: --behind-proxy --name runyard.example")
    return (options.proxies or LOOPBACK) if options.is_behind_proxy else ()


def _tls(options: Options) -> Tls | None:
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise UsageError("--tls-cert and --tls-key belong together; one of them is missing.")
    for file in (options.tls_cert, options.tls_key):
        if not file.is_file():
            raise UsageError(
                f"There is no file {file}. --tls-cert and --tls-key name a certificate and its key, in PEM."
            )
    return Tls(options.tls_cert, options.tls_key)


def _rebuild_if_needed(client: Client) -> None:
    if client.index.needs_reindex:
        with progress_bar("Reading runs") as progress:
            client.reindex(progress)
