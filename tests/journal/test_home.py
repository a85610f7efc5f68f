"""The home folder: made when it is missing, refused when it is of another format."""

import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import FormatUnknown, NotFound
from runyard.journal import Home


def test_a_home_is_made_where_there_is_none(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "new" / "home")

    assert home.runs.is_dir()
    assert Home.open(home.path).path == home.path


def test_a_home_of_a_newer_format_is_refused_by_naming_both(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text('{"format": 7}')

    with pytest.raises(FormatUnknown, match=r"format 7.*format 1"):
        Home.open(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "\x00\x01", '"text"'])
def test_a_marker_that_cannot_be_read_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "home.json").write_text(content)

    with pytest.raises(FormatUnknown, match="cannot be read"):
        Home.open(tmp_path)


@pytest.mark.parametrize("text", ["..", "../x", "a/b", "", "a b", "a\0b", "é"])
def test_text_of_users_never_becomes_a_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotFound):
        Home.open(tmp_path).run(text)


def test_many_processes_that_open_one_new_home_see_the_same_one(tmp_path: Path) -> None:
    program = "import sys; from runyard.journal import Home; Home.open(sys.argv[1])"
    home = tmp_path / "home"

    children = [subprocess.Popen([sys.executable, "-c", program, home]) for _ in range(4)]

    assert [child.wait(timeout=60) for child in children] == [0, 0, 0, 0]
    assert sorted(path.name for path in home.iterdir()) == ["artifacts", "code", "home.json", "runs", "trash"]


def test_attempts_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    run = Home.open(tmp_path).run("abc")
    for number in (10, 9, 1):
        run.attempt(number).path.mkdir(parents=True)

    assert [attempt.number for attempt in run.attempts()] == [1, 9, 10]


def test_a_new_home_is_for_its_owner_alone_and_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    Home.open(tmp_path / "above" / "new")
    (tmp_path / "shared").mkdir(mode=0o750)
    Home.open(tmp_path / "shared")

    assert (tmp_path / "above" / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o750
