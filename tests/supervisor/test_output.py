"""What of a run's output reaches the journal."""

import pytest

from runyard.supervisor.output import EVENT_BYTES, LINE_WAIT_S, Capture


def shown(*pieces: bytes) -> str:
    """All that a capture gives for these pieces, one after the other."""
    capture = Capture()
    texts = []
    for piece in pieces:
        capture.feed(piece, now=0.0)
        texts += capture.take(now=0.0)
    before, dropped, end = capture.finish()
    assert dropped == 0
    return "".join([*texts, *before, *end])


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b"one\ntwo\n", "one\ntwo\n"),
        (b"no end", "no end"),
        (b"\r 10%\r 50%\r100%\n", "100%\n"),
        (b"long line\rshort\n", "shortline\n"),
        (b"long line\r\x1b[Kshort\n", "short\n"),
        (b"long line\x1b[2K\rshort\n", "short    \n"),
        (b"windows\r\nlines\r\n", "windows\nlines\n"),
        (b"abc\b\bX\n", "aXc\n"),
        (b"\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
        (b"\r\x1b[32m 10%\x1b[0m\r\x1b[32m100%\x1b[0m\n", "\x1b[0m\x1b[32m100%\x1b[0m\n"),
        (b"up\x1b[1A\x1b[?25ldate\n", "update\n"),
        ("größer\n".encode(), "größer\n"),
        (b"broken \xff\xfe bytes\n", "broken �� bytes\n"),
        (b"", ""),
    ],
)
def test_output_looks_as_on_a_terminal(printed: bytes, expected: str) -> None:
    assert shown(printed) == expected


@pytest.mark.parametrize(
    "printed", [b"\r 10%\r 50%\r100%\ndone\n", "ä\r\x1b[31mö\x1b[0m\r\nü\b\b\n".encode(), b"a\r\nb\rc\n"]
)
def test_cuts_between_reads_make_no_difference(printed: bytes) -> None:
    whole = shown(printed)

    assert [shown(printed[:cut], printed[cut:]) for cut in range(len(printed))] == [whole] * len(printed)


def test_an_unfinished_line_appears_after_a_moment() -> None:
    capture = Capture()
    capture.feed(b"loading ... ", now=10.0)

    assert capture.take(now=10.0) == []
    assert capture.take(now=10.0 + LINE_WAIT_S) == ["loading ... "]


def test_a_progress_bar_is_held_until_its_line_is_done() -> None:
    capture = Capture()
    capture.feed(b"\r 10%", now=0.0)

    assert capture.take(now=100.0) == []


def test_a_line_that_was_shown_too_early_is_rewritten_below_itself() -> None:
    capture = Capture()
    capture.feed(b"loading ", now=0.0)
    early = capture.take(now=LINE_WAIT_S)
    capture.feed(b"10%\r  done  \n", now=3.0)

    assert early + capture.take(now=3.0) == ["loading ", "\n  done  \n"]


def test_a_line_without_end_is_cut_and_costs_no_more_than_others() -> None:
    capture = Capture()
    for _ in range(1_000):
        capture.feed(b"x" * 60_000, now=0.0)

    assert sum(len(text) for text in capture.take(now=0.0)) > 8_000_000


def test_beyond_the_cap_the_middle_is_dropped_and_counted() -> None:
    capture = Capture(max_bytes=1_000, tail_bytes=100)
    for number in range(1_000):
        capture.feed(b"line %4d\n" % number, now=0.0)

    begin = "".join(capture.take(now=0.0))
    _, dropped, end = capture.finish()

    assert begin.startswith("line    0\n")
    assert "".join(end).endswith("line  999\n")
    assert len(begin) + dropped + len("".join(end)) == capture.size_bytes == 10_000


def test_the_caps_hold_however_much_comes_at_once() -> None:
    capture = Capture(max_bytes=1 << 20, tail_bytes=1 << 18)
    line = b"x" * 99 + b"\n"

    capture.feed(line * 40_000, now=0.0)
    capture.feed(line * 40_000, now=0.0)

    begin, dropped, end = capture.finish()
    kept = sum(map(len, begin)) + sum(map(len, end))
    assert kept <= (1 << 20) + (1 << 18) + 2 * EVENT_BYTES
    assert kept + dropped == capture.size_bytes


def test_below_the_cap_and_its_tail_nothing_is_dropped() -> None:
    capture = Capture(max_bytes=100, tail_bytes=1_000)
    for number in range(50):
        capture.feed(b"line %4d\n" % number, now=0.0)

    begin = "".join(capture.take(now=0.0))
    _, dropped, end = capture.finish()

    assert dropped == 0
    assert begin + "".join(end) == "".join(f"line {number:4d}\n" for number in range(50))
