"""Looking at data beside a run: what is found, and who hears that it changed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runyard.journal import Home
from runyard.records import RunId, RunSpec
from runyard.supervisor.datawatch import DataWatch


class Place:
    """A project with data, and a home."""

    def __init__(self, root: Path) -> None:
        self.home = Home.open(root / "home")
        self.project = root / "project"
        self.data = self.project / "images"
        (self.project / "tests" / "data").mkdir(parents=True)
        self.data.mkdir()
        (self.data / "a.png").write_bytes(b"one")

    def look(self, run_id: str, **spec: Any) -> DataWatch:
        given: dict[str, Any] = {"config": {"root": "images"}, "data_roots": ("root",), "config_id": "c1", **spec}
        asked = RunSpec(
            id=RunId(run_id),
            project="weld",
            name="run",
            created_at=datetime.now(UTC),
            project_dir=str(self.project),
            **given,
        )
        watch = DataWatch(asked, self.home)
        watch.start()
        watch.wait(60)
        assert watch.is_ready
        return watch


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_paths_of_the_config_and_samples_are_looked_at(place: Place) -> None:
    found = place.look("run1").found

    assert [each.source.key for each in found] == ["root", "tests/data"]
    assert found[0].source.path == str(place.data)
    assert found[0].source.files == 1


def test_data_of_the_command_line_replace_those_of_the_config(place: Place) -> None:
    found = place.look("run1", data=str(place.project / "tests" / "data")).found

    assert [each.source.key for each in found] == ["--data"]


def test_a_run_of_the_same_config_hears_of_changed_data(place: Place) -> None:
    assert place.look("run1").warnings == []
    (place.data / "a.png").write_bytes(b"two")
    (place.data / "b.png").write_bytes(b"new")

    (sentence,) = place.look("run2").warnings

    assert sentence == (
        "The data of root changed since run run1 of the same config saw them: 1 changed (a.png), 1 added (b.png). "
        "`runyard diff run1 run2 --section data` tells more."
    )
    assert place.look("run3", config_id="c2").warnings == []


def test_a_run_of_the_same_grid_hears_whatever_its_config_is(place: Place) -> None:
    place.look("run1", grid="g")
    (place.data / "a.png").write_bytes(b"two")

    assert "of the same grid" in place.look("run2", grid="g", config_id="c2").warnings[0]


def test_samples_may_change_without_a_word(place: Place) -> None:
    place.look("run1")
    (place.project / "tests" / "data" / "new.png").touch()

    assert place.look("run2").warnings == []


def test_a_run_without_project_has_no_data(place: Place) -> None:
    watch = DataWatch(
        RunSpec(id=RunId("run1"), project="weld", name="run", created_at=datetime.now(UTC), kind="external"), place.home
    )
    watch.start()
    watch.wait(60)

    assert (watch.found, watch.warnings) == ([], [])


def test_a_damaged_memory_is_made_anew(place: Place) -> None:
    place.look("run1")
    for file in place.home.data.iterdir():
        file.write_bytes(b"damaged")

    assert place.look("run2").warnings == []
    assert place.look("run3").found[0].source.files == 1
