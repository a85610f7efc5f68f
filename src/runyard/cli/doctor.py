"""`runyard doctor`: is everything in order?"""

from collections.abc import Iterator
from contextlib import closing

import typer

from runyard.cli import documents, health, screen, tables
from runyard.cli.health import Finding, Level
from runyard.cli.progress import progress_bar
from runyard.client import open_client
from runyard.errors import RunyardError
from runyard.journal import Home

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


def doctor(as_json: bool) -> None:
    """Check home, disk, database, journals, GPUs and their locks, workers and versions."""
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
