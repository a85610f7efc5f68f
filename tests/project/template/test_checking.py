"""Is a project as every project is? Each rule sees what it should, at the right place, and nothing in a new project."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runyard.project.template import check_reports
from runyard.project.template.checking import RULES, Problem, check, fix

Git = Callable[..., str]


def only(project: Path) -> Problem:
    (problem,) = check(project).problems
    return problem


def test_new_project_is_in_order(project: Path) -> None:
    checked = check(project)

    assert checked.problems == ()
    assert (checked.name, checked.version) == ("weld-seam", checked.latest)


def test_forty_projects_are_checked_within_ten_seconds(project: Path, tmp_path: Path) -> None:
    projects = [shutil.copytree(project, tmp_path / "forty" / str(number)) for number in range(40)]

    began = time.process_time()
    assert all(check(each).is_in_order for each in projects)

    assert time.process_time() - began < 10


@pytest.mark.parametrize("name", ["run.py", "docker/.dockerignore"])
def test_edited_managed_file_is_told_with_its_line_and_restored(project: Path, name: str) -> None:
    path = project / name
    original = path.read_bytes()
    path.write_bytes(original.replace(original.splitlines()[1], b"# mine", 1))

    problem = only(project)
    assert (problem.rule, problem.path, problem.line) == ("managed", name, 2)
    assert f"`runyard check --fix {name}`" in problem.text

    fix(project, problem)
    assert path.read_bytes() == original


def test_missing_managed_file_is_restored(project: Path) -> None:
    (project / "run.py").unlink()

    problem = only(project)
    fix(project, problem)

    assert "is missing" in problem.text
    assert check(project).is_in_order


def test_missing_files_and_folders_are_told(project: Path) -> None:
    (project / "requirements.txt").unlink()
    shutil.rmtree(project / "tests" / "integration")

    assert {problem.path for problem in check(project).problems} == {"requirements.txt", "tests/integration"}


def test_project_that_remembers_no_template_is_warned_of_and_its_run_py_compared(project: Path) -> None:
    (project / ".copier-answers.yml").unlink()
    (project / "run.py").write_text("mine\n")

    problems = {problem.rule: problem for problem in check(project).problems}

    assert problems["template"].level == "warning"
    assert "runyard adopt" in problems["template"].text
    assert problems["managed"].path == "run.py"


def test_newer_versions_than_that_of_the_project_are_counted(project: Path) -> None:
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace('_commit: "0.1.0"', '_commit: "0.0.9"'))

    problem = only(project)

    assert (problem.rule, problem.level) == ("template", "warning")
    assert "1 version behind: 0.0.9" in problem.text


def test_foreign_template_is_not_asked_for(project: Path) -> None:
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("~/.local/share/runyard/template.bundle", "https://nowhere.invalid/t"))

    assert check(project).problems == ()
    assert check(project).latest == ""


def test_broken_config_is_told_with_its_line(project: Path) -> None:
    config = project / "src" / "config.py"
    config.write_text(config.read_text() + "\nprint('noise')\nimport nothing_like_it\n")

    problem = only(project)

    assert (problem.rule, problem.path) == ("config", "src/config.py")
    assert problem.line == len(config.read_text().splitlines())
    assert "nothing_like_it" in problem.text


def test_default_that_is_missing_is_told(project: Path) -> None:
    (project / "src" / "config.py").write_text("x = 1\n")

    assert "DEFAULT" in only(project).text


def test_unknown_keys_of_experiments_are_told_with_their_line(project: Path) -> None:
    (project / "experiments").mkdir()
    (project / "experiments" / "lr.yaml").write_text("base:\n  epochs: 3\ngrid:\n  optm.lr: [0.1, 0.2]\n")
    (project / "experiments" / "good.yaml").write_text("grid:\n  optim.lr: [0.1, 0.2]\n")

    problem = only(project)

    assert (problem.rule, problem.path, problem.line) == ("experiments", "experiments/lr.yaml", 4)
    assert "'optim.lr'" in problem.text


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import pickle\nmodel = pickle.load(file)\n", "pickle.load"),
        ("from joblib import load\n", "Importing from joblib"),
        ("import torch\nmodel = torch.load('x.pt')\n", "torch.load without weights_only"),
        ("import numpy as np\nnp.load('x', allow_pickle=True)\n", "allow_pickle"),
    ],
)
def test_unpickling_in_the_container_is_told(project: Path, code: str, told: str) -> None:
    (project / "docker" / "main.py").write_text(code)

    problem = only(project)

    assert problem.rule == "pickle"
    assert told in problem.text


def test_harmless_loading_in_the_container_is_left_alone(project: Path) -> None:
    code = "import json, torch\njson.load(file)\ntorch.load('x', weights_only=True)\n"
    (project / "docker" / "main.py").write_text(code)

    assert check(project).problems == ()


def test_requirements_that_nothing_pins_are_told(project: Path) -> None:
    with (project / "requirements.txt").open("a") as file:
        file.write("\n# a comment\n-r other.txt\npandas\npolars>=1  # <- no limit\nonnx==1.17\nx @ https://y/z.whl\ny~=2.1\n")

    assert [problem.text.split()[0] for problem in check(project).problems] == ["pandas", "polars"]


def test_functions_that_commands_call_are_missed(project: Path) -> None:
    inference = project / "src" / "inference.py"
    inference.write_text(inference.read_text().replace("def read(", "def read_all("))
    (project / "src" / "train.py").write_text("def train(:\n")

    found = {problem.path: problem.text for problem in check(project).problems}

    assert "no function 'read'" in found["src/inference.py"]
    assert "no valid Python" in found["src/train.py"]


def test_settings_with_an_unknown_key_are_told_with_their_line(project: Path) -> None:
    with (project / "runyard.toml").open("a") as file:
        file.write('[metric]\nx = "max"\n')

    problem = check(project).problems[0]

    assert (problem.rule, problem.path) == ("settings", "runyard.toml")
    assert "'metrics'" in problem.text


def test_pipeline_without_its_workflow_is_warned_of(project: Path) -> None:
    (project / ".gitlab-ci.yml").write_text("unit:\n  script: [pytest]\n")

    assert [problem.level for problem in check(project).problems] == ["warning", "warning"]


def notebook(outputs: list[object]) -> str:
    cell = {"cell_type": "code", "execution_count": 3, "metadata": {}, "source": ["1 + 1"], "outputs": outputs}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_committed_outputs_of_notebooks_are_warned_of_and_stripped(project: Path, git: Git) -> None:
    (project / "look.ipynb").write_text(notebook([{"output_type": "stream", "name": "stdout", "text": ["2"]}]))
    assert check(project).problems == ()  # not committed: nobody's business
    git(project, "add", "look.ipynb")

    problem = only(project)
    assert (problem.rule, problem.level, problem.path) == ("notebooks", "warning", "look.ipynb")

    fix(project, problem)
    assert check(project).problems == ()
    assert json.loads((project / "look.ipynb").read_text())["cells"][0]["source"] == ["1 + 1"]


def test_large_notebooks_are_warned_of(project: Path, git: Git) -> None:
    (project / "large.ipynb").write_text(notebook([]).replace("1 + 1", "1" * (1 << 20)))
    git(project, "add", "large.ipynb")

    assert "1.0 MB" in only(project).text


def test_reports_tell_place_and_severity_to_machines(project: Path) -> None:
    (project / "run.py").write_text("x = '<&\x01>'\n")
    (project / ".gitlab-ci.yml").write_text("tests/unit and runyard check\n")
    checked = check(project)

    suite = ElementTree.fromstring(check_reports.junit([checked]))[0]
    issues = json.loads(check_reports.code_quality([checked]))

    assert {case.get("name") for case in suite} >= RULES.keys()
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["managed"]
    assert suite.get("failures") == "1"
    assert [(issue["location"]["path"], issue["severity"]) for issue in issues] == [
        ("run.py", "major"),
        (".gitlab-ci.yml", "minor"),
    ]
    assert len({issue["fingerprint"] for issue in issues}) == 2
