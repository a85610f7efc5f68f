"""What a person sees: the program on a terminal of its own."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from runyard.cli.tables import cells
from runyard.records import RunState
from tests.cli.builders import HOSTILE, Yard, environment


def on_terminal(
    yard: Yard, *args: str, width: int = 80, typed: str = "", project: Path | None = None, **extra: str
) -> tuple[int, str]:
    """Execute a command on a terminal, of `run.py` if a project is given; its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    variables = environment(yard.path, TERM="xterm-256color", **extra)
    del variables["COLUMNS"]
    process = subprocess.Popen(
        [sys.executable, *(["-m", "runyard.cli.main"] if project is None else ["run.py"]), *args],
        env=variables,
        cwd=project or yard.path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    pieces = []
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux: nobody has the other end open any more
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(ours)
    return process.wait(), b"".join(pieces).decode().replace("\r\n", "\n")


def uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_table_fits_the_terminal_and_states_have_colours(yard: Yard) -> None:
    yard.run(name="a long name " * 5, config={"lr": 0.1, "depth": 3}, metrics={"val/accuracy": [0.5]})
    yard.run(state=RunState.FAILED, config={"lr": 0.2, "depth": 4})

    code, shown = on_terminal(yard, "runs", width=70)

    assert code == 0
    assert "\x1b[32mCOMPLETED" in shown
    assert "\x1b[31mFAILED" in shown
    assert "No room for: " in shown
    table = uncoloured(shown).partition("No room")[0]
    assert max(cells(line) for line in table.splitlines()) <= 70


def test_no_color_is_respected(yard: Yard) -> None:
    yard.run(output="\x1b[32mgreen\x1b[0m\n", metrics={"loss": [1, 2]})

    for command in (["runs"], ["show", "last"], ["logs", "last"], ["chart", "last", "loss"], ["doctor"]):
        code, shown = on_terminal(yard, *command, NO_COLOR="1")
        assert code == 0
        assert "\x1b[3" not in shown
        assert "\x1b[1m" not in shown


def test_hostile_text_commands_no_terminal(yard: Yard) -> None:
    yard.run(name=HOSTILE, note=HOSTILE, config={"text": HOSTILE}, output=HOSTILE + "\n", metrics={"x": [1]})

    for command in (["runs"], ["show", "last"], ["logs", "last"], ["chart", "last", "x"]):
        code, shown = on_terminal(yard, *command)
        assert code == 0
        assert not set("\x1b\x07\x9b\u202e\u2066") & set(uncoloured(shown))


def test_output_keeps_its_colours(yard: Yard) -> None:
    yard.run(output="\x1b[32mgreen\x1b[0m\n")

    _, shown = on_terminal(yard, "logs", "last")

    assert shown.startswith("\x1b[32mgreen\x1b[0m\n")


def test_rm_asks_and_takes_no_for_an_answer(yard: Yard) -> None:
    row = yard.run()

    refused, _ = on_terminal(yard, "rm", row.id, typed="n\n")
    assert not yard.client.index.get(row.id).trashed
    agreed, shown = on_terminal(yard, "rm", row.id, typed="y\n")

    assert (refused, agreed) == (2, 0)
    assert "Move 1 run to the trash? [y/N]" in shown
    assert yard.client.index.get(row.id).trashed


def test_reindex_shows_a_bar_and_clears_it(yard: Yard) -> None:
    yard.run()

    code, shown = on_terminal(yard, "reindex")

    assert code == 0
    assert "Reading runs" in shown
    assert shown.rstrip().splitlines()[-1].endswith(" s.")
