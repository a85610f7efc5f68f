"""Text of users commands no terminal, whichever command shows it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.records import RunState
from tests.cli.builders import Yard
from tests.cli.test_terminal import on_terminal
from tests.server import hostile_home
from tests.server.hostile_home import PROJECT, TEXTS, Hostile

pytestmark = pytest.mark.slow

WRONG = "name == 'a\x1b[2Jb' or \u202e"
# colours, and what typer and progress bars write themselves: hide or show the cursor, clear a line
_OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[KAG])|\r")
_COMMANDING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    made = hostile_home.make(tmp_path_factory.mktemp("hostile") / "home")
    for number, text in enumerate(TEXTS[4:9]):
        made.client.reservations.reserve(
            host=text, slot=f"cpu-{number}", label=text, user=text, hours=1, now=time.time(), why=text
        )
    yield made
    made.client.close()


@pytest.mark.parametrize(
    "command",
    [
        ("runs",),
        ("runs", "--project", PROJECT, "--limit", "100"),
        ("runs", WRONG),
        ("best", "--metric", "loss", "--project", PROJECT),
        ("chart", "{run}", "loss"),
        ("show", "{run}"),
        ("logs", "{run}"),
        ("diff", "{run}", "{other}"),
        ("trash", "list"),
        ("doctor",),
        ("reserve",),
        ("reserve", WRONG, "--for", "1h"),
        ("clean", "failed", "--older", "0", "--all", "--dry-run"),
        ("clean", "trash", "--dry-run"),
    ],
    ids=lambda command: " ".join(command[:2])[:20],
)
def test_no_command_lets_text_of_users_command_the_terminal(hostile: Hostile, command: tuple[str, ...]) -> None:
    yard = Yard(hostile.path)
    worst = [number for number, text in enumerate(TEXTS) if _COMMANDING.search(text) or "\n" in text]
    for number in worst if "{run}" in command else worst[:1]:
        names = {"{run}": hostile.ids[number], "{other}": hostile.ids[0]}

        code, shown = on_terminal(yard, *(names.get(part, part) for part in command))

        assert code == (2 if WRONG in command else 0), shown[:400]
        found = _COMMANDING.search(_OURS.sub("", shown))
        assert found is None, (TEXTS[number][:40], shown[max(found.start() - 60, 0) : found.end() + 20])
    yard.client.close()


def test_the_queue_of_a_project_is_text_too(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "home")
    project = tmp_path / "weld"
    project.mkdir()
    (project / "runyard.toml").write_text('name = "weld"\n')
    (project / "run.py").write_text("from runyard.runner import main\n\nraise SystemExit(main(__file__))\n")
    for number, text in enumerate(TEXTS):
        row = yard.run(state=RunState.QUEUED, name=text, tags=(text,), group=f"g{number}")
        if number % 2:
            yard.client.hold([row.id], why=text, by=text[:200])

    for command in (("queue",), ("queue", "hold", WRONG), ("queue", "cancel", "--all", "--why", WRONG)):
        code, shown = on_terminal(yard, *command, project=project, width=200)

        assert code == (2 if command[1:2] == ("hold",) else 0), shown[:400]
        assert _COMMANDING.search(_OURS.sub("", shown)) is None, shown[:2000]
    yard.client.close()
