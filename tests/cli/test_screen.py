import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.cli import screen
from runyard.cli.tables import Cell, Column, cells, cut, lay_out
from tests.cli.builders import HOSTILE


def test_control_characters_and_direction_marks_become_visible() -> None:
    assert screen.plain("a\x1b[31mb\n\x9bc\u202ed") == "a\\x1b[31mb\\n\\x9bc\\u202ed"


@given(st.text())
def test_plain_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = screen.plain(text)

    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u202e\u2066\u200f" for char in shown)


def test_output_keeps_its_colours_on_a_terminal_and_loses_all_other_sequences() -> None:
    text = "\x1b[1;32mok\x1b[0m \x1b]0;title\x07\x1b[2J\x1b]52;c;aGk=\x1b\\done\n"

    assert screen.coloured_output(text) == "\x1b[1;32mok\x1b[0m done\n"
    assert screen.uncoloured_output(text) == "ok done\n"


@given(st.text(alphabet="a\x1b[]m0;?\x07\\\x9b\n\t"))
def test_no_sequence_but_colours_survives_in_output(text: str) -> None:
    shown = screen.coloured_output(text)

    assert "\x1b" not in screen._COLOURING.sub("", shown)
    assert "\x9b" not in shown


def test_no_color_wins_over_force_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert screen.paint("x", "red") == "\x1b[31mx\x1b[0m"

    monkeypatch.setenv("NO_COLOR", "1")
    assert screen.paint("x", "red") == "x"


def test_a_table_never_gets_wider_than_the_terminal_and_says_what_it_left_out() -> None:
    columns = [
        Column("id", is_vital=True),
        Column("name", is_vital=True),
        Column("loss", True),
        Column("accuracy", True),
    ]
    rows = [[Cell("8fk2"), Cell(HOSTILE), Cell("0.25"), Cell("0.9")]]

    fitted = lay_out(columns, rows, width=24)

    assert max(map(cells, fitted.lines)) <= 24
    assert fitted.left_out == ["accuracy"]


def test_wide_characters_count_twice() -> None:
    assert cells("重み") == 4
    assert cells(cut("重みと学習", 5)) <= 5
    assert lay_out([Column("a"), Column("b")], [[Cell("重み"), Cell("x")]], width=None).lines[1] == "重み  x"
