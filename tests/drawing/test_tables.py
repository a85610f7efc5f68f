from html.parser import HTMLParser

import pytest

from runyard.drawing import escaped, facts, number, table
from runyard.drawing.tables import MOST_CHARACTERS, MOST_ROWS

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31m\x00",
    "\u202egnp.exe",
    "\ud800",
    "$\\href{x}$",
]


class Tags(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text(text: str) -> None:
    html = table([text], [[text, text]]) + facts(text, {text: text})

    tags = Tags(html)
    assert set(tags.found) == {"table", "thead", "tbody", "tr", "th", "td", "div", "strong"}
    assert tags.attributes == {"class", "style"}
    html.encode()  # a lone surrogate would break the message that carries it
    assert not set(html) & set("\x00\x1b\u202e")


def test_formulas_are_left_alone_by_the_notebook() -> None:
    assert "mathjax_ignore" in table([], [["$x$"]])


def test_a_long_table_shows_the_first_rows_and_how_many_more_there_are() -> None:
    html = table(["n"], [[n] for n in range(100)], left=99_900, what="runs")

    assert html.count("<tr>") == 1 + MOST_ROWS
    assert "… and 99,980 more runs" in html


def test_a_wide_table_says_how_many_columns_are_missing() -> None:
    html = table([str(n) for n in range(30)], [list(range(30))])

    assert html.count("<th ") == html.count("<td ") == 12
    assert "18 more columns" in html


def test_a_long_text_is_cut() -> None:
    assert escaped("x" * 10_000) == "x" * (MOST_CHARACTERS - 1) + "…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.1235"),
        (3.0, "3"),
        (1e-7, "1e-07"),
        (float("nan"), "NaN"),
        (float("-inf"), "-∞"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


def test_empty_facts_are_left_out() -> None:
    assert facts("a run", {"note": "", "tags": None}).count("<td") == 0
