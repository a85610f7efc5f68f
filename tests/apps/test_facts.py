"""What is told of a run, as a document."""

import json
from pathlib import Path

import pytest

from runyard.apps.facts import facts_of, read_facts, write_facts
from runyard.client.runs import TrackedRun
from runyard.errors import FormatUnknown, NotFound, ServiceError
from runyard.records import CodeState
from tests.apps.builders import facts
from tests.cli.builders import Yard


def test_facts_of_a_run_are_what_its_folder_tells(tmp_path: Path) -> None:
    yard = Yard(tmp_path)
    row = yard.run(
        name="a run",
        config={"optim": {"lr": 0.1}, "layers": [1, 2]},
        metrics={
            "train/loss": [2.0, float("nan"), 1.0],
            "val/accuracy": [0.5, 0.9, 0.8],
            "sys/cpu_percent": [1.0, 2.0],
        },
        code=CodeState(commit="abc", is_dirty=True),
        packages={"numpy": "2.1.0"},
        changed={"optim.lr": 0.1},
    )

    found = facts_of(TrackedRun(yard.client, row), {"val/accuracy": "max"})

    assert found.config == {"optim.lr": "0.1", "layers": "[1,2]"}
    assert list(found.metrics) == ["val/accuracy", "train/loss"]
    assert (found.metrics["val/accuracy"].best, found.metrics["val/accuracy"].best_step) == (0.9, 1)
    assert found.curves["train/loss"].values == (2.0, 1.0)
    assert found.code == {"commit": "abc", "changes": "uncommitted"}
    assert found.packages == {"numpy": "2.1.0"}
    assert found.changed == ("optim.lr",)
    yard.client.close()


def test_facts_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_facts(facts(), path)

    assert read_facts(path) == facts()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    with pytest.raises(NotFound):
        read_facts(path)
    write_facts(facts(), path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"format": 9}))
    with pytest.raises(FormatUnknown, match="has format 9"):
        read_facts(path)
    path.write_text("{")
    with pytest.raises(ServiceError, match="cannot be read"):
        read_facts(path)
