import json
import subprocess
import sys

import pytest

from runyard.cli.logs import Tail
from runyard.cli.main import run
from runyard.journal import HOST, JournalWriter
from runyard.journal.events import Output
from runyard.records import RunState
from tests.cli.builders import Yard, environment, runyard


def test_a_pipe_gets_the_text_without_escape_sequences(yard: Yard) -> None:
    yard.run(output="epoch 1\n\x1b[32mgood\x1b[0m \x1b]0;title\x07done\n")

    done = runyard(yard.path, "logs", "last")

    assert (done.returncode, done.stdout, done.stderr) == (0, "epoch 1\ngood done\n", "")


def test_colours_are_kept_where_they_are_welcome_even_when_split_between_two_writes(yard: Yard) -> None:
    row = yard.run(output="a\x1b[3", state=None)
    yard.append_output(row.id, "2mb\x1b[0m\x1b[2Jc\n", ended=RunState.COMPLETED)

    done = runyard(yard.path, "logs", "last", FORCE_COLOR="1")

    assert done.stdout == "a\x1b[32mb\x1b[0mc\n\x1b[0m"


@pytest.mark.parametrize(("lines", "text"), [("2", "two\nthree\n"), ("0", ""), ("9", "one\ntwo\nthree\n")])
def test_tail_shows_the_last_lines(yard: Yard, capsys: pytest.CaptureFixture[str], lines: str, text: str) -> None:
    yard.run(output="one\ntwo\nthree\n")

    assert run(["logs", "last", "--tail", lines]) == 0

    assert capsys.readouterr().out == text


def test_an_open_last_line_counts_as_a_line(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(output="one\ntwo\nthr")

    assert run(["logs", "last", "--tail", "2"]) == 0

    assert capsys.readouterr().out == "two\nthr"


def test_following_shows_what_comes_and_ends_with_the_run(yard: Yard) -> None:
    row = yard.run(state=None, output="first\n")
    command = [sys.executable, "-m", "runyard.cli.main", "logs", row.id, "-f"]

    with subprocess.Popen(
        command, env=environment(yard.path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        yard.append_output(row.id, "second\n")
        assert process.stdout.readline() == "second\n"
        yard.append_output(row.id, "third\n", ended=RunState.COMPLETED)
        rest, error = process.communicate(timeout=60)

    assert rest == "third\n"
    assert error == f"— {row.id} COMPLETED —\n"
    assert process.returncode == 0


def test_a_run_that_has_not_started_says_so(yard: Yard) -> None:
    yard.run(state=RunState.QUEUED)

    done = runyard(yard.path, "logs", "last")

    assert (done.returncode, done.stdout) == (0, "")
    assert "has not started yet" in done.stderr


def test_an_attempt_that_is_none_is_refused(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run()

    assert run(["logs", "last", "--attempt", "3"]) == 2

    assert "has no attempt 3. It has: 1." in capsys.readouterr().err


def test_json_has_pieces_and_times(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(output="one\ntwo\n")

    assert run(["logs", "last", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["attempt"] == 1
    assert [piece["text"] for piece in found["pieces"]] == ["one\n", "two\n"]


def test_records_larger_than_a_piece_and_stretches_without_output_are_read(yard: Yard) -> None:
    row = yard.run(output="begin\n")
    journal = yard.client.folder(row.id).attempt(1).journal(HOST)
    writer = JournalWriter(journal, run=row.id, attempt=1, stream=HOST)
    keys = writer.declare(tuple(f"sys/{n}" for n in range(100)))
    for step in range(6000):
        writer.append(keys.encode(step, step, [0.0] * 100))
    writer.event(Output(time_ns=1, text="x" * (9 << 20)))
    writer.close()
    tail, events = Tail(journal), []

    while (found := tail.read()) is not None:
        events += found

    last = events[-1]
    assert isinstance(last, Output)
    assert len(last.text) == 9 << 20


def test_a_damaged_journal_shows_what_is_before_the_damage_and_says_so(yard: Yard) -> None:
    row = yard.run(output="before\n")
    journal = yard.client.folder(row.id).attempt(1).journal(HOST)
    with journal.open("ab") as file:
        file.write(b"\xff" * 100)

    done = runyard(yard.path, "logs", row.id)

    assert done.stdout == "before\n"
    assert "cannot be read further" in done.stderr
