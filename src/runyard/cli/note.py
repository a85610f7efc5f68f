"""`runyard note`: what a person has to say about a run."""

from runyard.cli import screen, target


def note(*, run: str, text: str) -> None:
    """Write a note on a run; it replaces the one before, and an empty text removes it."""
    with target.opened() as client:
        row = target.find_run(client, run)
        client.note(row.id, text)
    screen.say(f"{row.id} ({screen.plain(row.name)}): {'noted' if text else 'the note is gone'}.")
