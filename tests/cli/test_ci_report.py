"""Metrics before and after: on the screen, as OpenMetrics, and in one comment of the merge request."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.cli.main import run
from runyard.records import CodeState
from tests.cli.builders import Yard
from tests.cli.gitlab_notes import TOKEN, GitLab, gitlab

COMMIT = "c" * 40


@pytest.fixture
def project(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with runs of main and of a branch; CI works on a commit of the branch."""
    folder = tmp_path / "weld"
    folder.mkdir()
    (folder / "run.py").touch()
    (folder / "runyard.toml").write_text('name = "weld"\n[metrics]\n"val/accuracy" = "max"\n"val/loss" = "min"\n')
    main, branch = CodeState(commit="a" * 40, branch="main"), CodeState(commit=COMMIT, branch="wider")
    for code, accuracy in ((main, [0.5, 0.8]), (main, [0.7, 0.6]), (branch, [0.9, 0.85])):
        yard.run(code=code, metrics={"val/accuracy": accuracy, "val/loss": [1.0, 0.25], "lr": [0.1], "sys/cpu": [9]})
    yard.run(code=branch, metrics={"val/accuracy": [1.0]}, experiment="ci")  # a command: never reported
    monkeypatch.chdir(folder)
    for name in ("GITHUB_SHA", "GITHUB_STEP_SUMMARY", "GITLAB_TOKEN", "RUNYARD_GITLAB_TOKEN", "CI_API_V4_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI_COMMIT_SHA", COMMIT)
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    with gitlab() as known:
        monkeypatch.setenv("CI_API_V4_URL", f"{known.address}/api/v4")
        monkeypatch.setenv("CI_PROJECT_ID", "7")
        monkeypatch.setenv("CI_MERGE_REQUEST_IID", "3")
        monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
        yield known


@pytest.mark.usefixtures("project")
def test_best_run_of_the_commit_is_compared_with_the_best_of_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ci", "report", "--baseline", "main"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "| metric | before (main) | after | change |" in lines
    assert "| val/accuracy | 0.8 | 0.9 | +0.1 better |" in lines
    assert "| val/loss | 0.25 | 0.25 | +0 |" in lines
    assert not [line for line in lines if "sys/" in line]


def test_the_report_of_the_run_is_written_beside_the_baseline(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ci", "report", "--report", "report.html", "--json"]) == 0

    about = json.loads(capsys.readouterr().out)
    page = (project / "report.html").read_text()
    assert about["after"] in page


def test_no_run_makes_no_report(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_COMMIT_SHA", "d" * 40)

    assert run(["ci", "report", "--report", "report.html"]) == 0

    assert not (project / "report.html").exists()


def test_metrics_are_written_as_open_metrics(project: Path) -> None:
    assert run(["ci", "report", "--metrics", "metrics.txt"]) == 0

    assert (project / "metrics.txt").read_text().splitlines() == [
        "# TYPE val_accuracy gauge",
        "val_accuracy 0.9",
        "# TYPE val_loss gauge",
        "val_loss 0.25",
        "# TYPE lr gauge",
        "lr 0.1",
        "# EOF",
    ]


@pytest.mark.usefixtures("project")
def test_comment_is_edited_and_not_repeated(
    server: GitLab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.notes += [{"id": n, "body": "somebody's", "system": False} for n in range(1, 151)]

    assert run(["ci", "report", "--comment"]) == 0
    first = server.notes[-1]["body"]
    server.notes += [{"id": n, "body": "later", "system": False} for n in range(1000, 1150)]  # it is on page two now
    monkeypatch.setenv("CI_COMMIT_SHA", "a" * 40)
    assert run(["ci", "report", "--comment"]) == 0

    own = [note["body"] for note in server.notes if "Model metrics" in note["body"]]
    assert "| 0.9 |" in first
    assert len(own) == 1
    assert "| 0.8 |" in own[0]
    assert [line.split("?")[0].split()[0] for line in server.requests if not line.startswith("GET")] == ["POST", "PUT"]
    told = capsys.readouterr()
    assert "was edited" in told.err
    assert TOKEN not in told.out + told.err


@pytest.mark.usefixtures("project", "server")
@pytest.mark.parametrize("token", ["wrong-token", "two\nlines", "naïve"])
def test_wrong_token_is_told_and_never_shown(
    token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_GITLAB_TOKEN", token)

    assert run(["ci", "report", "--comment"]) in (2, 4)

    told = capsys.readouterr()
    assert "token" in told.err
    assert token not in told.out + told.err


@pytest.mark.usefixtures("project")
def test_outside_of_a_merge_request_and_without_token_no_comment_is_written(
    server: GitLab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITLAB_TOKEN")
    assert run(["ci", "report", "--comment"]) == 0
    monkeypatch.delenv("CI_MERGE_REQUEST_IID")
    assert run(["ci", "report", "--comment"]) == 0

    told = capsys.readouterr().err
    assert "holds no token" in told
    assert "CI_MERGE_REQUEST_IID is not set" in told
    assert server.requests == []


@pytest.mark.usefixtures("project")
def test_commit_without_a_run_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_COMMIT_SHA", "d" * 40)
    monkeypatch.setenv("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "nothing")

    assert run(["ci", "report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["after"] is None
    assert run(["ci", "report"]) == 0
    assert "no completed run of this commit or branch" in capsys.readouterr().out


def test_table_stands_on_the_page_of_a_github_job(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))

    assert run(["ci", "report", "--baseline", "<b>&@all"]) == 0

    assert "| val/accuracy |" in (project / "summary.md").read_text()
    assert "<b>" not in (project / "summary.md").read_text()
