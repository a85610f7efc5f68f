"""`runyard tag`: add and remove tags."""

from runyard.cli import screen, target
from runyard.errors import UsageError

LONGEST_TAG = 100


def tag(*, run: str, changes: list[str]) -> None:
    """Add tags (+x, or just x) and remove tags (-y)."""
    add = [change.removeprefix("+") for change in changes if not change.startswith("-")]
    remove = [change[1:] for change in changes if change.startswith("-")]
    for name in [*add, *remove]:
        check(name)
    with target.opened() as client:
        row = target.find_run(client, run)
        client.tag(row.id, add=add, remove=remove)
        tags = client.index.get(row.id).tags
    screen.say(f"{row.id} ({screen.plain(row.name)}): {screen.plain(', '.join(tags)) or 'no tags'}")


def check(name: str) -> None:
    """Refuse what is no tag.

    Raises:
        UsageError: it is empty, too long, or has characters that nobody sees.
    """
    if not name or len(name) > LONGEST_TAG or screen.plain(name) != name or name.strip() != name or "," in name:
        raise UsageError(
            f"'{name[:40]}' is no tag. A tag has 1 to {LONGEST_TAG} visible characters, no comma, no space at its ends."
        )
