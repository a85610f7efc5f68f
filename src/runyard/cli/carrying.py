"""`runyard push` and `runyard pull`: whole runs between the home of this machine and the team's server."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict

import typer

from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.client import Client, open_client
from runyard.client.remote import RemoteClient, carrying
from runyard.client.remote.carrying import Carried
from runyard.errors import ConflictError, RunyardError, ServerAway, UsageError
from runyard.journal import Home


def push(*, runs: list[str] | None, where: str | None, as_json: bool) -> None:
    """Bring runs of this machine's home to the server."""
    with _both() as (local, server):
        ids = _chosen(local, runs, where)
        _carry(ids, lambda run_id: carrying.push(local, server, run_id), "pushed", as_json=as_json)


def pull(*, runs: list[str] | None, where: str | None, as_json: bool) -> None:
    """Bring runs of the server into this machine's home."""
    with _both() as (local, server):
        ids = _chosen(server, runs, where)
        _carry(ids, lambda run_id: carrying.pull(server, local, run_id), "pulled", as_json=as_json)


@contextmanager
def _both() -> Iterator[tuple[Client, RemoteClient]]:
    with closing(open_client()) as server:
        if not isinstance(server, RemoteClient):
            raise UsageError("No server is meant: this is a home of this machine. `runyard login URL` names one.")
        with closing(open_client(Home.of_machine())) as local:
            local.refresh()
            server.refresh()
            yield local, server


def _chosen(client: Client, runs: Sequence[str] | None, where: str | None) -> list[str]:
    """The named runs, each of which must have ended, and those that a query finds and that have."""
    named = target.find_runs(client, runs, where=None) if runs else []
    for row in named:
        if not row.state.is_ended:
            raise ConflictError(f"Run {row.id} ({row.name}) is {row.state}; it can travel once it has ended.")
    rows = target.find_runs(client, runs or [], where=where)
    left = [row for row in rows if not row.state.is_ended]
    if left:
        screen.remark(f"{formats.plural(len(left), 'run')} left out, which did not end yet.")
    return [row.id for row in rows if row.state.is_ended]


def _carry(ids: Sequence[str], carry: Callable[[str], Carried], word: str, *, as_json: bool) -> None:
    done: list[Carried] = []
    refused: dict[str, str] = {}
    with progress_bar("Bringing runs") as progress:
        for number, run_id in enumerate(ids, start=1):
            try:
                done.append(carry(run_id))
            except ServerAway:
                raise
            except RunyardError as problem:  # no reason to leave the others
                refused[run_id] = str(problem)
            progress(number, len(ids))
    if as_json:
        documents.write({"runs": [asdict(each) for each in done], "refused": refused})
    else:
        for each in done:
            news = "" if each.is_new else ", was there already" if not each.sent_bytes else ", goes on"
            screen.say(f"{each.run_id}  {screen.plain(each.name)}  {screen.paint_state(each.state)}{news}")
        for run_id, why in refused.items():
            screen.remark(f"{run_id} was left: {screen.plain(why)}")
        screen.say(f"{formats.plural(len(done), 'run')} {word}, {formats.size(sum(e.sent_bytes for e in done))}.")
    if refused:
        raise typer.Exit(1)
