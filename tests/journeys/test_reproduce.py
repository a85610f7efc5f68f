"""Running again what was run then: the code of then, the data of now, and an honest verdict."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Story

pytestmark = pytest.mark.slow

CONFIG = """from runyard import Config

class TrainConfig(Config):
    seed: int = 0
    root: str = "numbers"

DEFAULT = TrainConfig()
"""

TRAIN = """import random
from pathlib import Path

def train(config, run):
    print("as it was then", flush=True)
    numbers = [float(file.read_text()) for file in sorted(Path(config.root).iterdir())]
    draw = random.Random(config.seed)
    for step in range(5):
        run.log(loss=sum(numbers) / (step + 1) + draw.random(), step=step)
"""

OTHER_CONFIG = """from runyard import Config

class Settings(Config):
    width: int = 3

DEFAULT = Settings()
"""


@pytest.fixture
def story(make_story: Callable[..., Story], tmp_path: Path) -> Story:
    """A run was made, from code that was never committed; then the project was changed beyond recognition."""
    story = make_story(train=TRAIN, config=CONFIG)
    data = tmp_path / "numbers"
    data.mkdir()
    for name, number in (("a.txt", "1"), ("b.txt", "2")):
        (data / name).write_text(number)
    (story.folder / "runyard.toml").write_text('name = "weld-seam"\ndata_roots = ["root"]\n')
    story.run("train", f"root={data}", "seed=3")
    (story.folder / "src" / "train.py").write_text("raise SystemExit('rewritten')\n")
    (story.folder / "src" / "config.py").write_text(OTHER_CONFIG)
    moved = story.folder.with_name("moved")
    story.folder.rename(moved)
    return Story(moved, story.home, story.env)


def first_run(story: Story) -> str:
    runs = json.loads(story.runyard("runs", "--json", "--sort", "created_at").stdout)["runs"]
    return str(runs[0]["id"])


def test_a_run_comes_out_the_same_though_the_project_is_another_one(story: Story) -> None:
    run = first_run(story)

    done = story.runyard("reproduce", run)

    assert done.stdout.startswith(f"reproduced: 1 metric agrees bit for bit, run {run} ")
    assert "environment: this one is equal" in done.stderr
    assert "data: as they were" in done.stderr
    assert "as it was then" in done.stderr
    again = json.loads(story.runyard("show", "last", "--json").stdout)
    assert (again["reproduces"], again["tags"], again["state"]) == (run, ["reproduction"], "COMPLETED")
    assert story.runyard("verify").returncode == 0
    assert again["config"] == {"seed": 3, "root": str(story.folder.with_name("numbers"))}


def test_changed_data_are_named(story: Story) -> None:
    run = first_run(story)
    data = story.folder.with_name("numbers")
    (data / "b.txt").write_text("5")

    done = story.runyard("reproduce", run, check=False)

    assert done.returncode == 1
    assert done.stdout.startswith("differs by 3 in loss (")
    assert ", from step 0 on, run " in done.stdout
    assert f"data: root ({data}): 1 changed (b.txt)" in done.stdout
    assert done.stderr.index(f"data: root ({data}): 1 changed (b.txt)") < done.stderr.index("as it was then")
    assert "1 changed (b.txt)" in story.runyard("diff", run, "last", "--section", "data").stdout
    assert "The data of root changed since run" in story.runyard("show", "last").stdout

    loose = story.runyard("reproduce", run, "--tolerance", "loss=10", "--json")
    found = json.loads(loose.stdout)
    assert (found["verdict"], found["metrics"][0]["largest"]) == ("reproduced", 3.0)
    assert found["also_different"] == [f"data: root ({data}): 1 changed (b.txt)"]


def test_data_that_are_gone_are_said_and_may_be_elsewhere(story: Story) -> None:
    run = first_run(story)
    data, elsewhere = story.folder.with_name("numbers"), story.folder.with_name("elsewhere")
    data.rename(elsewhere)

    done = story.runyard("reproduce", run, check=False)

    assert done.returncode == 2
    assert done.stdout.startswith(f"cannot, because its data are gone: root names {data}, which is not there. If ")
    document = story.runyard("reproduce", run, "--json", check=False)
    assert json.loads(document.stdout)["verdict"] == "cannot"
    (elsewhere / "c.txt").write_text("0")
    there = story.runyard("reproduce", run, "--data", str(elsewhere), check=False)
    assert f"data: --data ({elsewhere}): 1 added (c.txt)" in there.stderr


def test_code_that_was_deleted_is_said(story: Story) -> None:
    run = first_run(story)
    shutil.rmtree(story.home / "artifacts")
    shutil.rmtree(story.home / "code")

    done = story.runyard("reproduce", run, check=False)

    assert done.returncode == 2
    assert done.stdout.startswith("cannot, because its code is not whole any more. The file ")


def test_a_tolerance_that_is_none_is_refused(story: Story) -> None:
    done = story.runyard("reproduce", "last", "--tolerance", "loss=much", check=False)

    assert done.returncode == 2
    assert "--tolerance loss=much: write a number for all metrics" in done.stderr


def test_a_failure_that_comes_again_is_reproduced(make_story: Callable[..., Story]) -> None:
    story = make_story()
    story.run("train", "fails=true", check=False)

    done = story.runyard("reproduce", "last")

    assert done.stdout.startswith("reproduced: it ended alike, and logged no metric")
