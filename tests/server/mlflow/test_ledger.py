"""What belongs to no run is kept as safely as runs are."""

from contextlib import closing
from pathlib import Path

from runyard.client import open_client
from runyard.client.care import backup, restore
from runyard.journal import Home
from runyard.server.mlflow.ledger import Ledger


def a_ledger(folder: Path) -> Ledger:
    home = Home.open(folder / "home")
    return Ledger(home.ledger("weld"), "weld")


def test_the_latest_value_of_a_key_counts_for_everybody(tmp_path: Path) -> None:
    ours, theirs = a_ledger(tmp_path), a_ledger(tmp_path)

    ours.put("model", "a/b", {"n": 1})
    assert theirs.get("model", "a/b") == {"n": 1}
    theirs.put("model", "a/b", {"n": 2})
    theirs.put("model", "c", {"n": 3})
    ours.put("model", "c", None)

    assert ours.of_kind("model") == theirs.of_kind("model") == {"a/b": {"n": 2}}
    assert ours.get("model", "none") is None


def test_what_a_crash_left_half_is_cut_off_and_kept_beside(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.put("experiment", "1", {"name": "x"})
    (path,) = (tmp_path / "home").glob("mlflow-*.journal")
    with path.open("ab") as file:
        file.write(path.read_bytes()[-20:-3])

    with ledger.changing():
        ledger.put("experiment", "2", {"name": "y"})

    assert list(a_ledger(tmp_path).of_kind("experiment")) == ["1", "2"]
    assert list((tmp_path / "home").glob("*.torn"))


def test_a_backup_brings_it_back(tmp_path: Path) -> None:
    a_ledger(tmp_path).put("experiment", "1", {"name": "x"})
    with closing(open_client(tmp_path / "home")) as client:
        backup(client, tmp_path / "copy")
    (tmp_path / "home").rename(tmp_path / "gone")

    restore(tmp_path / "copy", tmp_path / "home")

    assert a_ledger(tmp_path).of_kind("experiment") == {"1": {"name": "x"}}


def test_projects_whose_names_are_no_file_names_have_their_own(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")

    paths = {home.ledger(name) for name in ("../weld", "weld", "..", "WELD", "a" * 500)}

    assert len(paths) == 5
    assert all(path.parent == home.path for path in paths)
