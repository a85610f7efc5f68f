"""`runyard retry`: once more, as a new attempt of the same run."""

from runyard.cli import formats, screen, target
from runyard.records import RunState


def retry(*, runs: list[str] | None, where: str | None) -> None:
    """Put ended runs back into the queue, as a new attempt."""
    with target.opened() as client:
        named = target.find_runs(client, runs or []) if runs or where is None else []
        matching = target.find_runs(client, [], where=where) if where is not None else []
        failed = [row for row in matching if row.state.is_ended and row.state != RunState.COMPLETED]
        chosen = {row.id: row for row in named + failed}
        for row in chosen.values():
            client.retry(row.id)
            screen.say(f"{row.id} ({screen.plain(row.name)}) waits for attempt {row.attempt + 1}.")
    screen.remark(f"{formats.plural(len(chosen), 'run')} queued. `python run.py work` executes them.")
