"""A project that declares what its data look like: a training on other data does not begin."""

import json
from collections.abc import Callable

import pytest

from tests.journeys.conftest import Story

pytestmark = pytest.mark.slow

CONFIG = """from runyard import Config

class TrainConfig(Config):
    seed: int = 0
    highest: float = 1.0

DEFAULT = TrainConfig()
"""

CONTRACT = """from runyard.contracts import Array, Contract

CONTRACT = Contract(image=Array(("n", 4), range=(0, 1)))

def sample(config, data):
    return [[0.0, 0.5, config.highest, 1.0]]
"""

TRAIN = """def train(config, run):
    print("training began", flush=True)
    run.log(loss=1.0)
"""

SENTENCE = "The data break the contract: image goes from 0 to 9, and 0 to 1 is declared: 1 of 4 values lie outside"


@pytest.fixture
def story(make_story: Callable[..., Story]) -> Story:
    story = make_story(train=TRAIN, config=CONFIG)
    (story.folder / "src" / "data_processing").mkdir()
    (story.folder / "src" / "data_processing" / "contract.py").write_text(CONTRACT)
    return story


def test_a_training_on_other_data_fails_with_the_sentence(story: Story) -> None:
    assert "training began" in story.run("train").stdout

    done = story.run("train", "highest=9", check=False)

    assert done.returncode == 1
    assert SENTENCE in done.stdout + done.stderr
    assert "training began" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    shown = json.loads(story.runyard("show", "last", "--json").stdout)
    assert (shown["state"], SENTENCE in shown["reason"]) == ("FAILED", True)


def test_nothing_is_queued_on_other_data(story: Story) -> None:
    done = story.run("train", "highest=9", "--queue", check=False)

    assert done.returncode == 2
    assert SENTENCE in done.stderr
    assert json.loads(story.runyard("runs", "--json").stdout)["runs"] == []
    assert "1 run queued" in story.run("train", "--queue").stdout


def test_a_contract_without_a_sample_is_told(story: Story) -> None:
    (story.folder / "src" / "data_processing" / "contract.py").write_text("CONTRACT = None\n")

    done = story.run("train", "--queue", check=False)

    assert done.returncode == 2
    assert "src/data_processing/contract.py is to declare CONTRACT and a function sample(config, data)" in done.stderr
