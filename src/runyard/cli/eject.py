"""`runyard eject`: a copy of a project that needs no Runyard."""

from pathlib import Path

from runyard.cli import screen
from runyard.project.project import find_root
from runyard.project.template.ejecting import eject


def eject_project(folder: Path | None, *, out: Path) -> None:
    """Copy, and say what is still open."""
    done = eject(find_root(folder), out.absolute())
    screen.say(f"{screen.plain(done.path)} trains and predicts without Runyard.")
    for sentence in done.open_ends:
        screen.remark(f"open: {screen.plain(sentence)}")
    screen.remark("Next: python run.py train   python run.py infer --model … (see `python run.py --help`)")
