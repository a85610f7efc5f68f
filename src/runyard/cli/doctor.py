"""`runyard doctor`: is everything in order?"""

from collections.abc import Iterator
from contextlib import closing

import typer

from runyard import servers
from runyard.cli import documents, health, health_of_server, screen, tables
from runyard.cli.health import Finding, Level
from runyard.cli.progress import progress_bar
from runyard.client import open_client
from runyard.client.remote import RemoteClient
from runyard.errors import RunyardError
from runyard.journal import Home
from runyard.servers import Server

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


def doctor(as_json: bool) -> None:
    """Check home, disk, database, journals, GPUs, locks, workers and versions; or the server, if one is meant."""
    with progress_bar("Reading journals") as progress:
        findings = list(_examine(progress))
    if as_json:
        fields = ("level", "topic", "text", "advice")
        documents.write({"checks": [{name: str(getattr(each, name)) for name in fields} for each in findings]})
    else:
        _show(findings)
    if any(finding.level is Level.BAD for finding in findings):
        raise typer.Exit(1)


def _examine(progress: health.Progress) -> Iterator[Finding]:
    yield from health.surroundings()
    yield from health.guarded(health.gpus, "gpus")
    try:
        home = Home.open()
    except (RunyardError, OSError) as error:
        yield Finding(Level.BAD, "home", str(error))
        return
    yield from health.guarded(lambda: health.home(home), "home")
    if home.server_url is not None:
        yield from _examine_server(home, servers.known(home.server_url))
        return
    checked = list(health.guarded(lambda: health.database(home), "database"))
    yield from checked
    if any(finding.level is Level.BAD for finding in checked):
        return  # no other question to a damaged database
    try:
        client = open_client(home)
    except RunyardError as error:
        yield Finding(Level.BAD, "database", str(error))
        return
    with closing(client):
        yield from health.guarded(lambda: health.index(client), "index")
        yield from health.guarded(lambda: health.supervisors(client), "running")
        yield from health.guarded(lambda: health.journals(client, progress), "journals")


def _examine_server(home: Home, server: Server) -> Iterator[Finding]:
    found = list(health.guarded(lambda: health_of_server.server(server), "server"))
    yield from found
    if any(finding.level is Level.BAD for finding in found):
        return  # no other question to a server that does not answer
    yield from health.guarded(lambda: health_of_server.account(server), "account")
    with closing(RemoteClient(home, server)) as client:
        yield from health.guarded(lambda: health_of_server.on_the_way(client), "on the way")


def _show(findings: list[Finding]) -> None:
    longest = max(tables.cells(finding.topic) for finding in findings)
    for finding in findings:
        level = screen.paint(f"{finding.level:<4}", _COLOURS[finding.level])
        screen.say(f"{level}  {finding.topic:<{longest}}  {screen.plain(finding.text)}")
        if finding.advice:
            screen.say(f"{'':<{longest + 6}}  {screen.paint('→ ' + screen.plain(finding.advice), 'dim')}")
    worst = [finding.level for finding in findings]
    bad, warn = worst.count(Level.BAD), worst.count(Level.WARN)
    screen.say()
    screen.say("Everything is in order." if not bad + warn else f"{bad} bad, {warn} to look at.")
