"""check, adopt, projects and eject as they are typed; `update` has its story in tests/project/template."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.cli.main import run
from runyard.hosts import host_name
from runyard.project.new import new
from tests.cli.builders import Yard
from tests.cli.gitlab_notes import TOKEN, GitLab, gitlab


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        return new("weld", folder / "weld").path


@pytest.fixture
def project(rendered: Path, yard: Yard, user_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, in which commands are typed."""
    folder = shutil.copytree(rendered, user_home / "weld")
    monkeypatch.chdir(folder)
    assert yard.path
    return folder


@pytest.fixture
def server() -> Iterator[GitLab]:
    with gitlab() as known:
        yield known


def test_check_says_that_a_new_project_is_in_order(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    assert run(["check", str(project), "--json"]) == 0

    line, document = capsys.readouterr().out.split("\n", 1)
    assert line == "weld (template 0.1.0) is in order."
    assert json.loads(document)["is_in_order"] is True


def test_check_tells_place_and_way_out_writes_reports_and_fixes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "run.py").write_text("mine\n")
    (project / "docker" / ".dockerignore").write_text("mine\n")

    assert run(["check", "--junit", "j.xml", "--codequality", "q.json"]) == 1
    told = capsys.readouterr().out
    assert (
        "run.py:1: error: run.py differs from template 0.1.0 (line 1). It is managed; put project code in src/." in told
    )
    assert "weld (template 0.1.0): 2 errors." in told
    assert len(json.loads((project / "q.json").read_text())) == 2
    assert "<failure" in (project / "j.xml").read_text()

    assert run(["check", "--fix", "run.py"]) == 1  # the other one is still there
    capsys.readouterr()
    assert run(["check", "--fix", "src/train.py", "ruff.toml"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "ruff.toml is the project's and the template's; only managed files can be restored.",
        "src/train.py is the project's own; only managed files can be restored.",
    ]
    assert run(["check", "--fix"]) == 0
    assert "# Managed" in (project / "run.py").read_text()


def test_check_of_no_project_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["check"]) == 2
    assert run(["check", "nowhere"]) == 2
    assert "There is no nowhere." in capsys.readouterr().err


def test_repository_that_lacks_everything_is_told_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare" / ".git").mkdir(parents=True)

    assert run(["check", str(tmp_path / "bare")]) == 1
    assert "runyard.toml:1: error: runyard.toml is missing." in capsys.readouterr().out


@pytest.mark.usefixtures("user_home")
def test_adopt_reports_first_and_writes_only_after_a_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "run.py").write_text("mine\n")

    assert run(["adopt", str(old)]) == 2  # nobody is there to be asked
    assert run(["adopt", str(old), "--dry-run"]) == 0
    assert [path.name for path in old.iterdir()] == ["run.py"]
    told = capsys.readouterr()
    assert "in the way     run.py" in told.out
    assert "missing        src/train.py" in told.out
    assert "--yes" in told.err

    assert run(["adopt", str(old), "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_written"] is True
    assert (old / "run.py").read_text() == "mine\n"
    assert run(["check", "--fix", str(old)]) == 0


def test_projects_tell_template_last_run_and_ci(
    project: Path,
    yard: Yard,
    server: GitLab,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newest = yard.run(project="weld", project_dir=str(project), host=host_name())
    yard.run(project="elsewhere", project_dir="/nowhere", host="ws7")
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace('_commit: "0.1.0"', '_commit: "0.0.9"'))
    shutil.copytree(project, tmp_path / "more" / "new-one")
    (tmp_path / "more" / "new-one" / "runyard.toml").write_text('name = "new-one"\n')
    with (project / ".git" / "config").open("a") as config:
        config.write('[remote "origin"]\n\turl = git@gitlab.example:ml/weld.git\n')
    server.pipelines["ml/weld"] = [{"ref": "main", "status": "failed"}, {"ref": "other", "status": "success"}]
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    monkeypatch.setenv("RUNYARD_GITLAB_URL", server.address)

    assert run(["projects", str(tmp_path / "more"), "--ci", "--json"]) == 0
    asked = capsys.readouterr()
    assert run(["projects", "--json"]) == 0
    remembered = {each["name"]: each for each in json.loads(capsys.readouterr().out)["projects"]}
    assert run(["projects"]) == 0

    found = {each["name"]: each for each in json.loads(asked.out)["projects"]}
    assert found["weld"]["template"] == {"version": "0.0.9", "latest": "0.1.0", "behind": 1}
    assert found["weld"]["last_run"]["id"] == newest.id
    assert found["weld"]["ci"]["state"] == "failed"
    assert (found["elsewhere"]["folder"], found["elsewhere"]["template"]) == (None, None)
    assert (found["new-one"]["last_run"], found["new-one"]["ci"]) == (None, None)
    assert "new-one: " in asked.err  # it has no remote
    assert remembered["weld"]["ci"] == found["weld"]["ci"]
    assert "failed" in capsys.readouterr().out


def test_eject_makes_a_copy_and_tells_what_is_open(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eject", str(project), "--out", str(tmp_path / "copy")]) == 0

    told = capsys.readouterr()
    assert "trains and predicts without Runyard" in told.out
    assert "open: README.md" in told.err
    assert (tmp_path / "copy" / "src" / "utils" / "standalone.py").is_file()
