"""Three learning rates, three seeds, and nobody there: what the researcher finds in the morning."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Story

pytestmark = pytest.mark.slow


def test_queued_runs_finish_with_the_code_of_the_moment_they_were_queued(story: Story) -> None:
    story.run("train", "--grid", "--queue")
    (story.folder / "src" / "train.py").write_text("this is ( no python\n")

    story.run("work", "--drain")

    assert [run["state"] for run in runs(story)] == ["COMPLETED"] * 4


def test_a_cold_worker_works_the_queue_as_well(story: Story) -> None:
    story.run("train", "seed=[0,1,2]", "--queue")

    story.run("work", "--drain", "--cold")

    assert story.runyard("runs").stdout.count("COMPLETED") == 3


def test_deleting_the_database_and_reindexing_changes_no_byte_of_what_runs_says(story: Story) -> None:
    story.run("train", "--grid", "--queue")
    story.run("train", "fails=true", "seed=[5,6]", "--queue")
    story.run("work", "--drain")
    story.run("train", "seed=[7,8]", "--queue")
    some = runs(story)[0]["id"]
    story.runyard("tag", some, "+baseline")
    story.runyard("note", some, "the first one")
    before = story.runyard("runs", "--json", "--all").stdout

    for file in story.home.glob("runyard.db*"):
        file.unlink()
    story.runyard("reindex")

    assert story.runyard("runs", "--json", "--all").stdout == before
    story.run("work", "--drain")
    assert {run["state"] for run in runs(story)} == {"COMPLETED", "FAILED"}


def test_a_grid_goes_on_after_a_failed_point(make_story: Callable[..., Story]) -> None:
    story = make_story(slots=1)
    story.run("train", "fails=[true,false]", "seed=[0,1]", "--queue")

    story.run("work", "--drain")

    assert sorted(run["state"] for run in runs(story)) == ["COMPLETED", "COMPLETED", "FAILED", "FAILED"]


def test_three_identical_failures_hold_the_rest_of_the_grid_and_say_so(make_story: Callable[..., Story]) -> None:
    story = make_story(slots=1)
    story.run("train", "fails=true", "seed=[0,1,2,3,4,5]", "--queue")

    done = story.run("work", "--drain")

    found = runs(story)
    assert sorted(run["state"] for run in found) == ["FAILED"] * 3 + ["HELD"] * 3
    held = next(run for run in found if run["state"] == "HELD")
    assert "failed in the same way" in held["reason"]
    assert "RuntimeError" in held["reason"]
    assert "failed in the same way" in done.stdout + done.stderr


def test_the_same_grid_again_has_nothing_to_do_and_a_grown_grid_adds_only_what_is_new(story: Story) -> None:
    story.run("train", "--grid", "--queue")
    story.run("work", "--drain")

    again = story.run("train", "--grid", "--queue")
    config = story.folder / "src" / "config.py"
    config.write_text(config.read_text().replace('"lr": [0.1, 0.2]', '"lr": [0.1, 0.2, 0.3]'))
    story.run("train", "--grid", "--queue")

    assert "nothing" in again.stdout.lower()
    states = [run["state"] for run in runs(story)]
    assert sorted(states) == ["COMPLETED"] * 4 + ["QUEUED"] * 2


def test_a_failed_point_is_tried_again_only_when_asked(make_story: Callable[..., Story], tmp_path: Path) -> None:
    switch = tmp_path / "works"
    train = f"""
import os
def train(config, run):
    if not os.path.exists({str(switch)!r}):
        raise RuntimeError("not yet")
    run.log(loss=1.0)
"""
    story = make_story(train=train)
    story.run("train", "seed=[0]", "--queue")
    story.run("work", "--drain")
    switch.touch()

    story.run("train", "seed=[0]", "--queue")
    without = [run["state"] for run in runs(story)]
    story.run("train", "seed=[0]", "--queue", "--retry", "failed")
    story.run("work", "--drain")

    assert without == ["FAILED"]
    assert [(run["state"], run["attempt"]) for run in runs(story)] == [("COMPLETED", 2)]


def test_a_cancelled_run_never_starts_and_a_paused_queue_gives_nothing_out(story: Story) -> None:
    story.run("train", "seed=[0,1]", "--queue")
    first = min(runs(story), key=lambda run: str(run["name"]))["id"]

    story.run("queue", "pause")
    paused = story.run("work", "--drain")
    story.run("queue", "cancel", str(first))
    story.run("queue", "resume")
    story.run("work", "--drain")

    assert "paused" in paused.stdout + paused.stderr
    assert sorted(run["state"] for run in runs(story)) == ["COMPLETED", "STOPPED"]


def test_every_mistake_of_a_plan_is_named_at_once_and_nothing_is_queued(story: Story) -> None:
    done = story.run("train", "learning_rate=0.1", "stepz=3", "lr=x", "--queue", check=False)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Did you mean 'lr'" in done.stderr
    assert "Did you mean 'steps'" in done.stderr
    assert "is no float" in done.stderr
    assert runs(story) == []


def runs(story: Story) -> list[dict[str, Any]]:
    """What `runyard runs --json` says."""
    found: list[dict[str, Any]] = json.loads(story.runyard("runs", "--json", "--all").stdout)["runs"]
    return found
