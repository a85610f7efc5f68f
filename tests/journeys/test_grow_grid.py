"""A point that was never asked for, added beside the grid, is the one that `run.py train` would have made."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from runyard.client import Client, growing, open_client
from runyard.errors import UsageError
from tests.journeys.conftest import Story

pytestmark = pytest.mark.slow

CONFIG = """from pathlib import Path

from runyard import Config, Field

class Data(Config):
    root: Path = Path("data/train")
    workers: int = Field(4, identity=False)

class TrainConfig(Config):
    seed: int = 0
    lr: float = 0.1
    steps: int = 20
    layers: list[int] = [8, 8]
    data: Data = Data()

DEFAULT = TrainConfig()
"""
GROWN = ("train", "lr=[0.1,1.0]", "steps=[3,5]", "seed=[0,1]", "--queue", "--json")


@pytest.fixture
def story(make_story: Callable[..., Story]) -> Story:
    story = make_story(config=CONFIG, train="def train(config, run):\n    run.log(loss=config.lr, step=0)\n")
    story.run("train", "lr=[0.1,1.0]", "steps=3", "seed=[0,1]", "--queue")
    story.run("train", "lr=0.1", "steps=5", "seed=[0,1]", "--queue")
    return story


@pytest.fixture
def client(story: Story) -> Iterator[Client]:
    with closing(open_client(story.home)) as client:
        client.refresh()
        yield client


def test_a_grown_grid_finds_the_added_point_done(story: Story, client: Client) -> None:
    planned = json.loads(story.run(*GROWN, "--dry").stdout)

    growth = growing.plan_points(client, "weld-seam", None, [{"lr": 1, "steps": 5}])
    growing.grow(client, growth)

    assert planned["to_do"] == 2
    assert [spec.name for spec in growth.specs] == ["lr=1,steps=5/s0", "lr=1,steps=5/s1"]
    asked = {run["name"]: (run["config_id"], run["group"]) for run in planned["runs"]}
    assert {spec.name: (spec.config_id, spec.group) for spec in growth.specs}.items() <= asked.items()
    assert {spec.grid for spec in growth.specs} == {planned["plan"]}
    assert json.loads(story.run(*GROWN, "--dry").stdout)["to_do"] == 0


def test_an_added_point_says_what_it_changed_and_trains(story: Story, client: Client) -> None:
    growing.grow(client, growing.plan_points(client, "weld-seam", None, [{"lr": 1.0, "steps": 5}]))

    story.run("work", "--drain")

    client.refresh()
    found = client.index.find("config.lr == 1 and config.steps == 5", sort="created_at")
    assert [row.state for row in found] == ["COMPLETED", "COMPLETED"]
    assert found[1].changed == {"lr": 1.0, "steps": 5, "seed": 1}
    assert found[1].summary["loss"].last == 1.0


def test_a_point_that_is_there_is_not_asked_for_twice(story: Story, client: Client) -> None:
    points = [{"lr": 1.0, "steps": 5}, {"lr": 0.1, "steps": 3}]
    growing.grow(client, growing.plan_points(client, "weld-seam", None, points))

    again = growing.plan_points(client, "weld-seam", None, points)

    assert (again.todo, again.present) == (0, 4)


def test_a_point_that_was_stopped_is_tried_again(story: Story, client: Client) -> None:
    stopped = client.index.find("config.lr == 1", limit=1)[0].id
    client.request_stop(stopped)

    growth = growing.plan_points(client, "weld-seam", None, [{"lr": 1.0, "steps": 3}])

    assert (growth.specs, growth.retried, growth.present) == ((), (stopped,), 1)


def test_a_value_that_no_run_has_is_refused(story: Story, client: Client) -> None:
    with pytest.raises(UsageError, match=r"No run of the filter has lr=7"):
        growing.plan_points(client, "weld-seam", None, [{"lr": 7, "steps": 5}])


def test_settings_that_change_together_are_not_guessed(story: Story, client: Client) -> None:
    story.run("train", "lr=0.5", "layers=[4,4]", "steps=9", "--queue")
    client.refresh()

    with pytest.raises(UsageError, match="others change together"):
        growing.plan_points(client, "weld-seam", None, [{"lr": 0.5, "steps": 3}])
