"""`runyard stop`: ask running runs to stop, take waiting ones out of the queue."""

from runyard.cli import screen, target


def stop(*, runs: list[str] | None, where: str | None, why: str) -> None:
    """Stop running runs, or take waiting ones out of the queue."""
    with target.opened() as client:
        named = target.find_runs(client, runs or []) if runs or where is None else []
        matching = target.find_runs(client, [], where=where) if where is not None else []
        known = {row.id for row in named}
        for row in named + [row for row in matching if row.id not in known and not row.state.is_ended]:
            screen.say(screen.plain(client.request_stop(row.id, why=why)))
