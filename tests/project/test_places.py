from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.journal import machine_file
from runyard.project.places import Places, find_data


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What others call @nas and /data lies here, in a folder with `images`."""
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    disk = tmp_path / "disk"
    (disk / "images").mkdir(parents=True)
    machine_file().write_text(f'[data]\n"@nas" = "{disk}"\n"/data" = "{disk}"\n"/data/old" = "/elsewhere"\n')
    return disk


def test_a_machine_without_a_file_takes_paths_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path))

    assert Places.of_machine().translate("/data/images") == "/data/images"


@pytest.mark.parametrize(
    ("asked", "used"),
    [("@nas/images", "/images"), ("@nas", ""), ("/data/images", "/images"), ("/data//images", "/images")],
)
def test_the_beginning_of_a_path_is_translated(disk: Path, asked: str, used: str) -> None:
    assert Places.of_machine().translate(asked) == f"{disk}{used}"


def test_only_whole_names_count_and_the_longest_one_does(disk: Path) -> None:
    places = Places.of_machine()

    assert places.translate("/database/images") == "/database/images"
    assert places.translate("/data/old/images") == "/elsewhere/images"


def test_a_name_that_the_machine_does_not_know_is_told_with_the_line_to_write(disk: Path) -> None:
    with pytest.raises(UsageError, match=r'machine.toml does not say where @tapes is; write "@tapes" = "/path"'):
        Places.of_machine().translate("@tapes/one")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[data]\n'/data' = 'nas'\n", "absolute path"),
        ("[data]\n'/data' = 3\n", "absolute path"),
        ("data = 3\n", "is a table"),
        ("[date]\n", "no setting 'date'"),
        ("[checkpoints]\nlargest_mb = 1\n", "no setting 'checkpoints.largest_mb'"),
        ("[checkpoints]\nlargest_gb = -1\n", "a number from 0 on"),
        ("[checkpoints]\nevery_min = true\n", "a number from 0.001 on"),
        ("[data\n", "no valid TOML"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(disk: Path, text: str, why: str) -> None:
    machine_file().write_text(text)

    with pytest.raises(UsageError, match=why):
        Places.of_machine()


def test_data_are_found_where_they_lie_here_and_only_other_paths_are_named(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "small").mkdir(parents=True)
    config = {"data": {"root": "@nas/images", "small": "small", "none": None}}
    keys = ["data.root", "data.small", "data.none", "data.unknown"]

    found = find_data(Places.of_machine(), keys, config, None, folders=[tmp_path / "work"])

    assert found.used == {"data.root": f"{disk}/images"}
    assert found.missing == ()


def test_small_data_come_with_the_code_where_the_project_is_not(disk: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "tests" / "data").mkdir(parents=True)

    found = find_data(Places.of_machine(), ["root"], {"root": "tests/data"}, None, folders=[tmp_path / "work", code])

    assert found.used == {"root": f"{code}/tests/data"}


def test_what_is_missing_is_told_with_key_and_path(disk: Path, tmp_path: Path) -> None:
    config = {"root": "/data/videos", "tape": "@tapes/one"}

    found = find_data(Places.of_machine(), ["root", "tape"], config, None, folders=[tmp_path])
    replaced = find_data(Places.of_machine(), ["root", "tape"], config, "@nas/none", folders=[tmp_path])

    assert found.missing[0] == f"'root' names /data/videos, which is not there (looked for {disk}/videos)."
    assert found.missing[1].startswith("'tape' names @tapes/one, but ")
    assert len(replaced.missing) == 1
    assert replaced.missing[0].startswith("--data names @nas/none, which is not there")
