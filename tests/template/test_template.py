"""What `runyard new` renders: exactly the tree that the documentation draws, and code that works."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import runyard
from runyard.project.new import Framework, new
from runyard.project.project import load_project

TREE = """\
.copier-answers.yml
.gitignore
.gitlab-ci.yml
README.md
docker/.dockerignore
docker/Dockerfile
docker/main.py
requirements.txt
run.py
runyard.toml
src/config.py
src/data_processing/contract.py
src/data_processing/data_loader.py
src/inference.py
src/models/model.py
src/train.py
src/utils/__init__.py
src/visualization/explore.py
tests/__init__.py
tests/data/labels.csv
tests/integration/__init__.py
tests/integration/test_model.py
tests/unit/__init__.py
tests/unit/test_data_loader.py
""".splitlines()

RUN_PY = """\
# Managed by Runyard: the same file in every project. Project code lives in src/.
from runyard.runner import main

raise SystemExit(main(__file__))
"""

CHECKOUT_SRC = Path(runyard.__file__).parents[1]
FRAMEWORKS: tuple[Framework, ...] = ("sklearn", "torch")
NEEDS = {"sklearn": ("sklearn", "skops", "PIL"), "torch": ("torch", "safetensors", "sklearn", "PIL")}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[Framework, Path]:
    folder = tmp_path_factory.mktemp("projects")
    return {name: new("weld-seam", folder / name, framework=name).path for name in FRAMEWORKS}


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> Framework:
    framework: Framework = request.param
    return framework


@pytest.fixture
def project(projects: dict[Framework, Path], framework: Framework) -> Path:
    return projects[framework]


def files(project: Path) -> list[str]:
    found = [file.relative_to(project).as_posix() for file in project.rglob("*") if file.is_file()]
    return sorted(name for name in found if not name.startswith(".git/") and "__pycache__" not in name)


def in_project(project: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project with this interpreter and the checkout's Runyard; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT_SRC), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(
        [sys.executable, *command], cwd=project, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def test_tree_is_exactly_the_documented_one(project: Path) -> None:
    assert [name for name in files(project) if not name.endswith(".png")] == TREE


def test_samples_are_five_images_of_each_digit(project: Path) -> None:
    lines = (project / "tests" / "data" / "labels.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]

    assert lines[0] == "file,label"
    assert sorted(label for _, label in rows) == sorted("0123456789" * 5)
    assert [f"tests/data/{name}" for name, _ in rows] == [name for name in files(project) if name.endswith(".png")]


def test_run_py_is_the_same_in_every_project(projects: dict[Framework, Path]) -> None:
    assert {(project / "run.py").read_text() for project in projects.values()} == {RUN_PY}


def test_only_the_files_of_the_framework_differ(projects: dict[Framework, Path]) -> None:
    one, other = projects.values()

    different = {name for name in files(one) if (one / name).read_bytes() != (other / name).read_bytes()}

    assert different <= {
        ".copier-answers.yml",
        "README.md",
        "requirements.txt",
        "src/config.py",
        "src/inference.py",
        "src/models/model.py",
        "src/train.py",
    }


def test_nothing_of_the_template_language_is_left(project: Path) -> None:
    for name in TREE:
        assert not re.search(r"{%-? |{{ | }}", (project / name).read_text()), name


def test_answers_name_no_path_of_this_machine(project: Path, framework: Framework) -> None:
    answers = (project / ".copier-answers.yml").read_text()

    assert f'framework: "{framework}"' in answers
    assert f'template_version: "{runyard.__version__}"' in answers
    assert "_src_path" not in answers


def test_settings_are_understood(project: Path) -> None:
    settings = load_project(project)

    assert (settings.name, settings.entry, list(settings.metrics)) == (
        "weld-seam",
        "src.train:train",
        ["val/accuracy", "val/loss"],
    )


def test_declared_grid_has_twelve_settings_and_three_seeds(project: Path) -> None:
    from runyard.config import expand

    config = load_project(project).load_config()

    assert config.override is not None
    plan = expand(config.default, config.override)
    assert len(plan) == 36
    assert len({run.group for run in plan}) == 12


def test_requirements_cover_this_version_of_runyard(project: Path) -> None:
    lines = (project / "requirements.txt").read_text().splitlines()
    major, minor, *_ = (int(part) for part in runyard.__version__.split("."))

    assert lines[0] == f"runyard>={major}.{minor},<{major}.{minor + 1}"
    assert all(">=" in line for line in lines)


def test_code_passes_the_rules_of_this_repository(project: Path) -> None:
    lint = tomllib.loads((CHECKOUT_SRC.parent / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    # a project's tests are unittest.TestCase classes, so that unittest and pytest both run them
    ignored = [*lint["ignore"], "PT009", "PT027"]
    options = ["--isolated", "--no-cache", "--line-length=120"]

    in_project(
        project,
        *["-m", "ruff", "check", *options, "--target-version=py311"],
        *[f"--select={','.join(lint['select'])}", f"--ignore={','.join(ignored)}", "."],
    )
    in_project(project, "-m", "ruff", "format", *options, "--diff", ".")


def test_pipeline_tests_units_always_and_trains_on_merge_requests(project: Path) -> None:
    pipeline = YAML(typ="safe").load(project / ".gitlab-ci.yml")

    assert {name: job["stage"] for name, job in pipeline.items() if "script" in job} == {
        "unit": "test",
        "integration": "integration",
    }
    assert "rules" not in pipeline["unit"]
    assert [rule["if"] for rule in pipeline["integration"]["rules"]] == ['$CI_PIPELINE_SOURCE == "merge_request_event"']


def test_dockerignore_leaves_what_the_dockerfile_copies(project: Path, tmp_path: Path) -> None:
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "secret.png").touch()

    subprocess.run(["tar", "-cf", tmp_path / "context.tar", "-X", "docker/.dockerignore", "."], cwd=project, check=True)
    listed = subprocess.run(["tar", "-tf", tmp_path / "context.tar"], capture_output=True, text=True, check=True).stdout

    copied = {"./requirements.txt", "./src/train.py", "./docker/main.py", "./docker/Dockerfile"}
    assert copied < set(listed.splitlines())
    assert not [line for line in listed.splitlines() if line.startswith(("./.git/", "./data", "./tests"))]
    assert "./src/data_processing/data_loader.py" in listed


@pytest.mark.slow
@pytest.mark.parametrize("runner", [("-m", "unittest", "discover"), ("-m", "pytest", "-q", "-p", "no:cacheprovider")])
def test_tests_of_a_new_project_pass(project: Path, framework: Framework, runner: tuple[str, ...]) -> None:
    skip_without(framework)

    done = in_project(project, *runner)

    assert re.search(r"Ran 1\d tests|1\d passed", done.stdout + done.stderr)


def test_page_says_how_to_install_streamlit(project: Path, framework: Framework) -> None:
    skip_without(framework)
    if importlib.util.find_spec("streamlit") is not None:
        pytest.skip("streamlit is installed")

    done = subprocess.run(
        [sys.executable, "src/visualization/explore.py"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT_SRC), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == "This page needs Streamlit. Install it with: pip install streamlit\n"


@pytest.mark.slow
def test_container_program_predicts_a_folder(project: Path, framework: Framework, tmp_path: Path) -> None:
    skip_without(framework)
    script = """
import shutil, sys
from runyard.testing import rehearse
from src.config import DEFAULT
from src.train import train
with rehearse(DEFAULT) as rehearsal:
    train(DEFAULT, rehearsal.run)
    print("accuracy", rehearsal.values("val/accuracy")[-1])
    shutil.copytree(rehearsal.model, sys.argv[1])
"""
    trained = in_project(project, "-c", script, str(tmp_path / "model"))
    assert float(trained.stdout.split("accuracy")[-1]) > 0.9

    # called from elsewhere, as a container may do
    program, model = str(project / "docker" / "main.py"), str(tmp_path / "model")
    checked = in_project(tmp_path, program, "check", MODEL=model)
    predicted = in_project(
        tmp_path, program, "--model", model, "batch", str(project / "tests" / "data"), str(tmp_path / "out.csv")
    )

    assert "The model answers" in checked.stdout
    assert "50 predictions are in" in predicted.stdout
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "input,label,probability"
    labels = (project / "tests" / "data" / "labels.csv").read_text().splitlines()
    right = sum(found.startswith(f"{wanted},") for found, wanted in zip(lines[1:], labels[1:], strict=True))
    assert right >= 45


def skip_without(framework: Framework) -> None:
    missing = [name for name in NEEDS[framework] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
