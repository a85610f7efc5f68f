"""The checks of `runyard doctor` for a machine that belongs to a team's server."""

from collections.abc import Iterator

from runyard import __version__
from runyard.cli import formats
from runyard.cli.health import Finding, Level
from runyard.client import joining
from runyard.client.remote import RemoteClient, spool
from runyard.servers import Server

_SLOW_S = 1.0
_FAR_S = 60.0  # then the ages of runs and heartbeats look wrong


def server(place: Server) -> Iterator[Finding]:
    """Whether it answers, in which version, and how its clock stands to ours.

    Raises:
        ServiceError: it does not answer.
    """
    found = joining.greet(place)
    level = Level.WARN if found.took_s > _SLOW_S else Level.OK
    yield Finding(level, "server", f"{place.url} answers, in {found.took_s * 1000:,.0f} ms")
    if found.version == __version__:
        yield Finding(Level.OK, "version", f"{found.version} there and here")
    else:
        text = f"{found.version} there, {__version__} here"
        yield Finding(Level.WARN, "version", text, f"Install that of the server: pip install runyard=={found.version}")
    if found.ahead_s is None:
        return
    if abs(found.ahead_s) > _FAR_S:
        text = f"{formats.duration(abs(found.ahead_s))} {'behind' if found.ahead_s > 0 else 'ahead of'} the server's"
        yield Finding(Level.WARN, "clock", text, "Let both machines ask a time server; ages of runs are wrong else.")
    else:
        yield Finding(Level.OK, "clock", "agrees with the server's")


def account(place: Server) -> Iterator[Finding]:
    """Who we are for it."""
    found = joining.look(place)
    if found.user is None and found.has_accounts:
        text = f"{place.url} does not know this machine (any more)"
        yield Finding(Level.BAD, "account", text, f"Run: runyard login {place.url}")
    elif found.user is None:
        yield Finding(Level.OK, "account", "it asks for none")
    else:
        within = f", in the projects {', '.join(found.projects)}" if found.projects is not None else ""
        yield Finding(Level.OK, "account", f"{found.user}, {found.role}{within}")


def on_the_way(client: RemoteClient) -> Iterator[Finding]:
    """What this machine executed and has not brought there."""
    left = spool.left(client)
    files = client.artifacts.waiting()
    waiting = [each for each in left if not each.is_executing]
    if not left and not files:
        yield Finding(Level.OK, "on the way", "nothing; everything has arrived")
        return
    size = formats.size(sum(each.size_bytes for each in left))
    text = f"{size} of {formats.plural(len(left), 'attempt')}, {formats.plural(len(files), 'file')}"
    if waiting or (files and not left):
        yield Finding(Level.WARN, "on the way", text, "`runyard sync` brings what nobody brings by itself.")
    else:
        yield Finding(Level.OK, "on the way", f"{text}; their supervisors bring it")
