import json
from pathlib import Path

import pytest

from runyard.cli.main import run
from runyard.project.snapshot import take
from runyard.records import CodeState
from tests.cli.builders import Yard


def test_only_what_differs_is_shown_side_by_side(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        yard.run(
            config={"lr": lr, "depth": 3, "kind": kind}, packages={"numpy": version, "msgspec": "1"}, output="same\n"
        )
        for lr, kind, version in ((0.1, "a", "1.26"), (0.1, "a", "2.0"), (0.2, "b", "2.0"))
    ]

    assert run(["diff", *(row.id for row in rows)]) == 0

    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert ["lr", "0.1", "0.1", "0.2"] in lines
    assert ["kind", "a", "a", "b"] in lines
    assert ["numpy", "1.26", "2.0", "2.0"] in lines
    assert "depth" not in shown
    assert "msgspec" not in shown
    assert lines[-1] == ["Equal:", "metrics,", "data,", "code,", "environment,", "output"]


def test_a_missing_setting_differs_from_every_value_and_true_from_one(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [yard.run(config={"a": None, "b": 1, "c": 1.0}), yard.run(config={"b": True, "c": 1})]

    assert run(["diff", rows[0].id, rows[1].id, "--section", "config", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["config"] == {"a": {rows[0].id: None}, "b": {rows[0].id: 1, rows[1].id: True}}


def test_code_is_compared_file_by_file(yard: Yard, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("lr = 1\nprint(lr)\n")
    (project / "old.py").write_text("old\n")
    (project / "image.bin").write_bytes(b"\0\1")
    before = take(project, yard.client.artifacts)
    (project / "train.py").write_text("lr = 2\nprint(lr)\n")
    (project / "old.py").unlink()
    (project / "image.bin").write_bytes(b"\0\2")
    after = take(project, yard.client.artifacts)
    rows = [yard.run(code=CodeState(snapshot=each.id)) for each in (before, after)]

    assert run(["diff", rows[0].id, rows[1].id, "-s", "code"]) == 0

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "changed  image.bin  (no text)" in lines
    assert "removed  old.py" in lines
    assert "changed  train.py" in lines
    assert "-lr = 1" in lines
    assert "+lr = 2" in lines
    assert "print(lr)" in lines


def test_code_that_is_gone_is_said_and_not_fatal(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = yard.client.artifacts.put_bytes(b"a manifest")
    rows = [yard.run(code=CodeState(snapshot=snapshot)), yard.run()]
    yard.client.artifacts.delete(snapshot)

    assert run(["diff", rows[0].id, rows[1].id, "-s", "code"]) == 0

    assert "is not in" in capsys.readouterr().out


def test_output_is_compared_line_by_line(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [yard.run(output="one\ntwo\x1b[2J\n"), yard.run(output="one\nthree\n")]

    assert run(["diff", rows[0].id, rows[1].id, "-s", "output"]) == 0

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "-two\\x1b[2J" in lines
    assert "+three" in lines


def test_one_run_alone_cannot_be_compared(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run()

    assert run(["diff", row.id, row.id]) == 2

    assert "two different runs" in capsys.readouterr().err
