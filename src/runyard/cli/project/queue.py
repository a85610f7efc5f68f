"""`run.py queue …`: what waits and runs, and changing it."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from runyard.cli import screen
from runyard.cli.tables import Cell, Column, lay_out
from runyard.client import Client, open_client
from runyard.errors import NotFound, UsageError
from runyard.hosts import user_name
from runyard.index import RunRow
from runyard.project.launch import show_duration
from runyard.project.project import Project, find_project
from runyard.queue import QueueRow
from runyard.records import RunId, RunState

_SHOWN = 40


def show(folder: Path, *, json: bool) -> None:
    """The queue of this project, running runs first."""
    client, project = _open(folder)
    rows = client.queue.rows(project.name)
    known = {row.id: row for row in client.index.find(_unfinished(), project=project.name, limit=None)}
    if json:
        answer = {"paused": (project.name in client.queue.paused()), "runs": [_as_json(row, known) for row in rows]}
        screen.say(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    if project.name in client.queue.paused():
        screen.say("The queue of this project is paused; `python run.py queue resume` lets it go on.")
    if not rows:
        screen.say("Nothing waits. `python run.py train --grid --queue` queues the grid of src/config.py.")
        return
    _say_table(rows, known)


def pause(folder: Path) -> None:
    client, project = _open(folder)
    client.queue.pause(project.name, by=user_name(), now=time.time())
    screen.say("Paused: nothing more of this project starts. What runs goes on.")


def resume(folder: Path) -> None:
    client, project = _open(folder)
    client.queue.resume(project.name)
    screen.say("The queue goes on.")


def cancel(folder: Path, names: list[str], *, everything: bool, why: str) -> None:
    """Stop what runs, take out what waits."""
    client, project = _open(folder)
    states = (RunState.QUEUED, RunState.HELD) if everything else (RunState.QUEUED, RunState.HELD, RunState.RUNNING)
    for row in _chosen(client, project, names, everything=everything, states=states, flag="--all"):
        screen.say(screen.plain(client.request_stop(row.id, why=why)))


def retry(folder: Path, names: list[str], *, failed: bool) -> None:
    client, project = _open(folder)
    states = [state for state in RunState if state.is_ended and (state is not RunState.COMPLETED or not failed)]
    rows = _chosen(client, project, names, everything=failed, states=states, flag="--failed")
    for row in rows:
        client.retry(row.id)
    screen.say(f"{len(rows)} queued again.")


def hold(folder: Path, names: list[str], *, why: str) -> None:
    client, project = _open(folder)
    rows = _chosen(client, project, names, states=(RunState.QUEUED,))
    screen.say(f"{client.hold([row.id for row in rows], why=why)} held.")


def release(folder: Path, names: list[str]) -> None:
    client, project = _open(folder)
    rows = _chosen(client, project, names, states=(RunState.HELD,))
    screen.say(f"{client.release([row.id for row in rows])} released.")


def move(folder: Path, name: str, *, top: bool, bottom: bool, before: str | None) -> None:
    client, _ = _open(folder)
    if [top, bottom, before is not None].count(True) != 1:
        raise UsageError("Where to? Say one of --top, --bottom and --before RUN.")
    run_id = client.index.resolve(name)
    if before is not None:
        places = client.queue.move_before(run_id, client.index.resolve(before))
    else:
        places = client.queue.to_top(run_id) if top else client.queue.to_bottom(run_id)
    client.place(places)
    screen.say(f"{run_id} was moved.")


def priority(folder: Path, names: list[str], *, to: int) -> None:
    client, project = _open(folder)
    rows = _chosen(client, project, names, states=(RunState.QUEUED, RunState.HELD))
    for row in rows:
        client.set_priority(row.id, to)
    screen.say(f"{len(rows)} now have priority {to}.")


def _open(folder: Path) -> tuple[Client, Project]:
    client = open_client()
    client.refresh()
    return client, find_project(folder)


def _unfinished() -> str:
    return 'state == "QUEUED" or state == "HELD" or state == "RUNNING"'


def _chosen(
    client: Client,
    project: Project,
    names: Iterable[str],
    *,
    states: Iterable[RunState],
    everything: bool = False,
    flag: str = "",
) -> list[RunRow]:
    """Runs by id, name, grid or experiment; only those in one of the states.

    Raises:
        NotFound: a name means nothing, or nothing in these states.
        UsageError: no name at all.
    """
    names, states = list(names), frozenset(states)
    rows = client.index.find(None, project=project.name, sort="created_at", limit=None)
    if everything:
        return [row for row in rows if RunState(row.state) in states]
    if not names:
        raise UsageError(f"Which runs? Name them, or a grid, or say {flag}.")
    chosen: dict[str, RunRow] = {}
    for name in names:
        found = [row for row in rows if name in (row.grid, row.experiment)]
        found = found or [client.index.get(client.index.resolve(name))]
        fitting = [row for row in found if RunState(row.state) in states]
        if not fitting:
            wanted = ", ".join(sorted(states))
            raise NotFound(f"'{name}' is {', '.join(sorted({row.state for row in found}))}, and not {wanted}.")
        chosen |= {row.id: row for row in fitting}
    return list(chosen.values())


def _as_json(row: QueueRow, known: Mapping[RunId, RunRow]) -> dict[str, Any]:
    run = known.get(row.run_id)
    return {
        "id": row.run_id,
        "name": run.name if run else "",
        "state": row.state,
        "attempt": row.attempt,
        "priority": row.priority,
        "reason": _why(row),
        "grid": row.grid,
    }


def _why(row: QueueRow) -> str:
    """Why it does not start, if that is not just because others come first."""
    return row.held_reason or ("" if row.state == "leased" else " ".join(row.refused))


def _say_table(rows: list[QueueRow], known: Mapping[RunId, RunRow]) -> None:
    now = time.time()
    columns = [
        Column("", is_right=True),
        Column("id", is_vital=True),
        Column("state", is_vital=True),
        Column("name"),
        Column("since", is_right=True),
        Column("why"),
    ]
    cells = []
    place = 0
    for row in rows[:_SHOWN]:
        place += row.state == "waiting"
        run = known.get(row.run_id)
        since = (row.claimed_at if row.state == "leased" else None) or row.queued_at
        cells.append(
            [
                Cell(str(place) if row.state == "waiting" else ""),
                Cell(row.run_id),
                Cell({"leased": "RUNNING", "waiting": "QUEUED", "held": "HELD"}[row.state]),
                Cell(run.name if run else ""),
                Cell(show_duration(max(0.0, now - since))),
                Cell(_why(row)),
            ]
        )
    for line in lay_out(columns, cells, width=screen.width() if screen.is_terminal() else None).lines:
        screen.say(line)
    if len(rows) > _SHOWN:
        screen.say(f"… and {len(rows) - _SHOWN} more; `queue --json` lists all.")
