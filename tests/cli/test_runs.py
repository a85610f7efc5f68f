import json
from pathlib import Path

import pytest

from runyard.cli.main import run
from runyard.records import CodeState, RunState
from tests.cli.builders import HOSTILE, Yard, runyard


def a_grid(yard: Yard) -> None:
    for lr in (0.1, 0.01):
        for seed in (0, 1, 2):
            yard.run(
                name=f"lr={lr}/s{seed}",
                config={"optim": {"lr": lr, "kind": "adam"}, "seed": seed},
                group=f"group-{lr}",
                metrics={"val/accuracy": [0.1, 0.5 + lr + seed / 100, 0.4], "train/loss": [3.0, 1.0 - lr]},
            )


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_json_of_all_runs_is_equal_to_the_byte_after_the_database_was_removed_and_rebuilt(yard: Yard) -> None:
    a_grid(yard)
    yard.run(
        name="failed", state=RunState.FAILED, traceback="Traceback", reason="no", metrics={"x": [float("nan"), 1.0]}
    )
    yard.run(name="waiting", state=RunState.QUEUED)
    yard.run(name="running", state=None, progress=(3, 10))
    trashed = yard.run(name="trashed")
    tagged = yard.run(name="tagged")
    for command in (["tag", tagged.id, "+a", "+b", "-a"], ["note", tagged.id, HOSTILE], ["rm", trashed.id, "--yes"]):
        assert run(command) == 0
    before = runyard(yard.path, "runs", "--json", "--all")
    yard.client.close()
    for file in yard.path.glob("runyard.db*"):
        file.unlink()

    rebuilt = runyard(yard.path, "reindex")
    after = runyard(yard.path, "runs", "--json", "--all")

    assert rebuilt.returncode == 0
    assert len(json.loads(before.stdout)["runs"]) == 10
    assert after.stdout == before.stdout


def test_without_a_reindex_the_next_command_rebuilds_the_database_by_itself(yard: Yard) -> None:
    a_grid(yard)
    before = runyard(yard.path, "runs", "--json")
    yard.client.close()
    for file in yard.path.glob("runyard.db*"):
        file.unlink()

    assert runyard(yard.path, "runs", "--json").stdout == before.stdout


def test_json_is_ascii_strict_and_complete(yard: Yard) -> None:
    row = yard.run(
        name=HOSTILE, config={"text": HOSTILE}, metrics={"x": [1.0, float("inf"), float("nan")]}, tags=("ü",)
    )

    text = runyard(yard.path, "runs", "--json").stdout
    (found,) = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["runs"]

    assert text.isascii()
    assert "\x1b" not in text
    assert found["id"] == row.id
    assert found["name"] == HOSTILE
    assert found["config"] == {"text": HOSTILE}
    assert found["tags"] == ["ü"]
    assert found["metrics"]["x"]["last"] == "NaN"
    assert found["metrics"]["x"]["max"] == "Infinity"
    assert found["created_at"] == "2024-05-01T12:01:00Z"


def test_the_keys_of_the_json_are_those_of_the_documentation(yard: Yard) -> None:
    yard.run(metrics={"x": [1.0]}, progress=(1, 2))
    (found,) = json.loads(runyard(yard.path, "runs", "--json").stdout)["runs"]

    documented = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()

    assert [key for key in found if f"`{key}`" not in documented] == []


def test_the_table_shows_what_tells_the_runs_apart(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["runs"]) == 0

    head, first, *_ = table(capsys.readouterr().out)
    assert " ".join(head) == (
        "id name state age duration val/accuracy max train/loss min val/accuracy last optim.lr seed"
    )
    assert first[1:4] == ["lr=0.01/s2", "COMPLETED", "2024-05-01"]
    assert first[-5:] == ["0.53", "0.99", "0.4", "0.01", "2"]


def test_hostile_text_is_shown_and_never_obeyed(yard: Yard) -> None:
    yard.run(name=HOSTILE, tags=(HOSTILE[:30],), note=HOSTILE, config={"text": HOSTILE}, reason=HOSTILE, output=HOSTILE)

    for command in (
        ["runs"],
        ["runs", "--columns", "name,tags,note,text,reason"],
        ["runs", "--group", "text"],
        ["show", "last"],
        ["logs", "last"],
    ):
        done = runyard(yard.path, *command)
        assert done.returncode == 0, done.stderr
        assert not set("\x1b\x07\x9b\u202e\u2066") & set(done.stdout + done.stderr)
        if command != ["logs", "last"]:
            assert "[red]markup[/red] :smile:" in done.stdout


def test_a_query_filters_sorts_and_limits(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["runs", "--where", "config.optim.lr < 0.05", "--sort", "-metric:val/accuracy.max", "--limit", "2"]) == 0

    assert [row[1] for row in table(capsys.readouterr().out)[1:]] == ["lr=0.01/s2", "lr=0.01/s1"]


def test_a_query_that_cannot_be_understood_shows_the_place(yard: Yard) -> None:
    done = runyard(yard.path, "runs", "--where", "config.lr < fast")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == ["    config.lr < fast", "                ^^^^"]


def test_chosen_columns_are_fields_config_keys_and_metrics(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["runs", "--columns", 'name,optim.lr,config.seed,val/accuracy,metric["train/loss"].min']) == 0

    head, first, *_ = table(capsys.readouterr().out)
    assert head == ["name", "optim.lr", "seed", "val/accuracy", "last", "train/loss", "min"]
    assert first == ["lr=0.01/s2", "0.01", "2", "0.4", "0.99"]


def test_a_column_that_none_of_the_found_runs_has_is_empty_if_another_run_has_it(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    a_grid(yard)
    yard.run(name="broken", state=RunState.FAILED)

    assert run(["runs", "--where", 'state == "FAILED"', "--columns", "name,val/accuracy.max"]) == 0

    assert table(capsys.readouterr().out)[1:] == [["broken"]]


def test_an_unknown_column_is_refused_with_a_guess(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["runs", "--columns", "name,optim.rl"]) == 2

    assert "Did you mean 'optim.lr'?" in capsys.readouterr().err


def test_seeds_fold_into_one_row_with_mean_deviation_and_count(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["runs", "--group", "all-but-seed"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ")[0] == "optim.lr=0.01"
    assert "3  COMPLETED" in lines[1]
    assert "0.520 ± 0.010" in lines[1]
    assert len(lines) == 3


def test_groups_as_json_say_which_runs_and_which_number_of_each(yard: Yard) -> None:
    a_grid(yard)

    found = json.loads(runyard(yard.path, "runs", "--group", "all-but-seed", "--json").stdout)["groups"]

    assert [group["settings"] for group in found] == [{"optim.lr": 0.01}, {"optim.lr": 0.1}]
    assert [group["n"] for group in found] == [3, 3]
    assert found[0]["metrics"]["val/accuracy"] == {
        "statistic": "max",
        "n": 3,
        "mean": pytest.approx(0.52),
        "std": pytest.approx(0.01),
    }
    assert found[0]["metrics"]["train/loss"]["statistic"] == "min"
    assert found[0]["states"] == {"COMPLETED": 3}


def test_groups_by_config_keys_fold_everything_else(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["runs", "--group", "optim.kind"]) == 0
    assert run(["runs", "--group", "optim.kinds"]) == 2

    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].startswith("optim.kind=adam  6  COMPLETED")
    assert "Did you mean 'optim.kind'?" in captured.err


def test_a_group_of_runs_with_different_code_is_remarked(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        yard.run(config={"seed": seed}, group="same", code=CodeState(code_id=f"{seed}" * 64))

    assert run(["runs", "--group", "all-but-seed"]) == 0

    assert "different code" in capsys.readouterr().err


def test_inside_a_project_its_runs_are_meant(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "seam"
    (project / "src").mkdir(parents=True)
    (project / "run.py").touch()
    (project / "runyard.toml").write_text('name = "seam"\n[metrics]\n"val/error_rate_kept" = "min"\n')
    yard.run(name="mine", project="seam", metrics={"val/error_rate_kept": [3, 1, 2], "loss": [1]})
    yard.run(name="other", project="weld")
    monkeypatch.chdir(project / "src")

    assert run(["runs"]) == 0
    here = capsys.readouterr().out
    assert run(["runs", "--all"]) == 0
    everywhere = capsys.readouterr().out
    assert run(["runs", "--all", "--project", "weld"]) == 2

    assert [row[1] for row in table(here)[1:]] == ["mine"]
    assert "val/error_rate_kept min" in here
    assert "loss" not in here
    assert len(table(everywhere)) == 3


def test_nothing_to_show_is_said_on_stderr(yard: Yard) -> None:
    empty = runyard(yard.path, "runs")
    yard.run()
    no_match = runyard(yard.path, "runs", "--where", 'name == "x"')

    assert (empty.returncode, empty.stdout) == (0, "")
    assert empty.stderr.startswith("No runs yet.")
    assert (no_match.returncode, no_match.stdout) == (0, "")
    assert no_match.stderr.startswith("No run matches.")
