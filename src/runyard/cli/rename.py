"""`runyard rename`: another name for people; the id stays."""

from runyard.cli import screen, target
from runyard.errors import UsageError

_LONGEST = 200


def rename(*, run: str, name: str) -> None:
    """Give a run another name. Its id stays."""
    if not name.strip() or len(name) > _LONGEST or screen.plain(name) != name:
        raise UsageError(f"'{name[:40]}' is no name. A name has 1 to {_LONGEST} visible characters.")
    with target.opened() as client:
        row = target.find_run(client, run)
        client.rename(row.id, name)
    screen.say(f"{row.id} is called {name} now.")
