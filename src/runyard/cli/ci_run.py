"""`runyard ci run`: a command of the project as a short run with priority, followed to its end."""

import signal
import sys
from dataclasses import replace
from types import FrameType

import typer

from runyard.cli import screen
from runyard.cli.logs import logs
from runyard.client import Client, open_client
from runyard.config import expand
from runyard.config.durations import parse_duration_s
from runyard.errors import UsageError
from runyard.hosts import user_name
from runyard.project.code import read_code
from runyard.project.launch import Shared, own_command, specs_for
from runyard.project.project import find_project
from runyard.project.queued_command.config import ENTRY, EXIT_CODE, CommandConfig
from runyard.records import Resources, RunId, RunState

_NAME_CHARS = 60


def run_queued(command: list[str], *, priority: int, gpus: int | None, time_limit: str) -> None:
    """Queue the command, show what it prints, and exit with its code."""
    try:
        resources = Resources(gpus=gpus, time_limit_s=parse_duration_s(time_limit))
    except ValueError as error:
        raise UsageError(f"--time: {error}.") from None
    signal.signal(signal.SIGTERM, _interrupt)  # CI cancels a job with it: then the run shall not go on
    client = open_client()
    try:
        client.refresh()
        run_id = _submit(client, command, priority=priority, resources=resources)
        try:
            screen.remark(f"run {run_id} waits in the queue; some `python run.py work` executes it")
            logs(run=run_id, follow=True, tail=None, attempt=None, as_json=False)
        except KeyboardInterrupt:
            client.request_stop(run_id, why="its CI job was cancelled")
            raise
        client.refresh()
        code = _exit_code(client, run_id)
    finally:
        client.close()
    if code:
        raise typer.Exit(code)


def _submit(client: Client, command: list[str], *, priority: int, resources: Resources) -> RunId:
    project = replace(find_project(), entry=ENTRY)
    code, skipped = read_code(project, client.artifacts)
    for sentence in skipped:
        screen.remark(f"warning: {screen.plain(sentence)}")
    shared = Shared(
        code=code,
        user=user_name(),
        is_queued=True,
        experiment="ci",
        tags=("ci",),
        resources=resources,
        retries=1,
        priority=priority,
        command=own_command(sys.argv),
    )
    plan = expand(CommandConfig(command=command), None)
    (spec,) = specs_for(project, list(plan), shared, name=" ".join(command)[:_NAME_CHARS])
    client.submit([spec])
    return spec.id


def _exit_code(client: Client, run_id: RunId) -> int:
    row = client.index.get(run_id)
    if EXIT_CODE in row.summary:
        return int(row.summary[EXIT_CODE].last)
    if row.state is RunState.COMPLETED:
        return 0
    screen.remark(f"{row.state}: {screen.plain(row.reason)}")
    return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
