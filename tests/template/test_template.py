"""What `runyard new` renders: exactly the tree that the documentation draws, and code that works, for every task."""

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import runyard
from runyard.delivery.ignoring import Ignored
from runyard.project.new import CI, Framework, Task, new
from runyard.project.project import load_project
from runyard.project.template.checking import check
from runyard.serve.golden import Tolerance, differences
from tests import warm

TREE = """\
.copier-answers.yml
.gitignore
.gitlab-ci.yml
README.md
docker/.dockerignore
docker/Dockerfile
docker/main.py
requirements.txt
ruff.toml
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
KINDS: tuple[tuple[Task, Framework], ...] = (
    ("image-classification", "sklearn"),
    ("image-classification", "torch"),
    ("tabular", "sklearn"),
    ("tabular", "torch"),
    ("timeseries", "sklearn"),
    ("timeseries", "torch"),
    ("detection", "torch"),
)
NEEDS = {"sklearn": ("sklearn", "skops", "PIL"), "torch": ("torch", "safetensors", "sklearn", "PIL")}
SAMPLES: dict[Task, str] = {
    "image-classification": "labels.csv",
    "tabular": "table.csv",
    "timeseries": "series.csv",
    "detection": "boxes.csv",
}
METRICS: dict[Task, list[str]] = {
    "image-classification": ["val/accuracy", "val/loss"],
    "tabular": ["val/accuracy", "val/loss"],
    "timeseries": ["val/mae", "val/skill", "val/loss"],
    "detection": ["val/f1", "val/loss"],
}

Projects = dict[tuple[Task, Framework], Path]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    folder = tmp_path_factory.mktemp("projects")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        return {
            (task, framework): new("weld-seam", folder / f"{task}-{framework}", task=task, framework=framework).path
            for task, framework in KINDS
        }


@pytest.fixture(params=KINDS, ids="-".join)
def kind(request: pytest.FixtureRequest) -> tuple[Task, Framework]:
    kind: tuple[Task, Framework] = request.param
    return kind


@pytest.fixture
def task(kind: tuple[Task, Framework]) -> Task:
    return kind[0]


@pytest.fixture
def framework(kind: tuple[Task, Framework]) -> Framework:
    return kind[1]


@pytest.fixture
def project(projects: Projects, kind: tuple[Task, Framework]) -> Path:
    return projects[kind]


def files(project: Path) -> list[str]:
    found = [file.relative_to(project).as_posix() for file in project.rglob("*") if file.is_file()]
    return sorted(name for name in found if not name.startswith(".git/") and "__pycache__" not in name)


def in_project(
    project: Path, *command: str, imports: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in the project with this interpreter and the checkout's Runyard; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT_SRC), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = warm.call(command, cwd=project, env=environment, timeout_s=300, imports=imports)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def tree(task: Task) -> list[str]:
    extra = ["src/data_processing/scenes.py", "src/models/boxes.py"] if task == "detection" else []
    return sorted([*(name.replace("labels.csv", SAMPLES[task]) for name in TREE), *extra])


def test_tree_is_exactly_the_documented_one(project: Path, task: Task) -> None:
    assert [name for name in files(project) if not name.endswith(".png")] == tree(task)


def test_samples_are_five_images_of_each_digit(projects: Projects) -> None:
    project = projects["image-classification", "sklearn"]
    lines = (project / "tests" / "data" / "labels.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]

    assert lines[0] == "file,label"
    assert sorted(label for _, label in rows) == sorted("0123456789" * 5)
    assert [f"tests/data/{name}" for name, _ in rows] == [name for name in files(project) if name.endswith(".png")]


@pytest.mark.parametrize("ci", ["github", "none"])
def test_pipeline_is_there_for_the_ci_that_was_chosen(ci: CI, tmp_path: Path, user_home: Path) -> None:
    project = new("weld-seam", tmp_path / "weld-seam", ci=ci).path

    assert not (project / ".gitlab-ci.yml").exists()
    if ci == "none":
        assert not (project / ".github").exists()
        return
    pipeline = YAML(typ="safe").load(project / ".github" / "workflows" / "ci.yml")
    assert list(pipeline["jobs"]) == ["lint", "unit", "integration"]
    assert pipeline["jobs"]["integration"]["if"] == "github.event_name == 'pull_request'"
    assert "${{ github.ref }}" in (project / ".github" / "workflows" / "ci.yml").read_text()
    assert any("runyard check" in step.get("run", "") for step in pipeline["jobs"]["unit"]["steps"])


def test_run_py_is_the_same_in_every_project(projects: Projects) -> None:
    assert {(project / "run.py").read_text() for project in projects.values()} == {RUN_PY}


@pytest.mark.parametrize("task", ["image-classification", "tabular", "timeseries"])
def test_only_the_files_of_the_framework_differ(projects: Projects, task: Task) -> None:
    one, other = projects[task, "sklearn"], projects[task, "torch"]

    different = {name for name in files(one) if (one / name).read_bytes() != (other / name).read_bytes()}

    assert different <= {
        ".copier-answers.yml",
        "README.md",
        "docker/Dockerfile",
        "requirements.txt",
        "src/config.py",
        "src/inference.py",
        "src/models/model.py",
        "src/train.py",
    }


def test_nothing_of_the_template_language_is_left(project: Path, task: Task) -> None:
    for name in tree(task):
        assert not re.search(r"{%-? |{{ | }}", (project / name).read_text()), name


def test_answers_name_no_path_of_this_machine(project: Path, kind: tuple[Task, Framework]) -> None:
    answers = (project / ".copier-answers.yml").read_text()

    assert f'task: "{kind[0]}"\nframework: "{kind[1]}"' in answers
    assert '_commit: "' in answers
    assert "/home" not in answers
    assert str(project.parent) not in answers


def test_settings_are_understood(project: Path, task: Task) -> None:
    settings = load_project(project)

    assert (settings.name, settings.entry, list(settings.metrics)) == ("weld-seam", "src.train:train", METRICS[task])


def test_new_project_passes_its_own_check(project: Path) -> None:
    assert check(project).problems == ()


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
    assert all(">=" in line and "<" in line for line in lines)


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


def test_code_passes_the_rules_of_its_own(project: Path) -> None:
    in_project(project, "-m", "ruff", "check", "--no-cache", ".")
    in_project(project, "-m", "ruff", "format", "--no-cache", "--diff", ".")


def test_dockerfile_passes_hadolint(project: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed")

    done = subprocess.run([hadolint, project / "docker" / "Dockerfile"], capture_output=True, text=True, check=False)

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_image_runs_without_root_shell_or_pickle(project: Path) -> None:
    lines = (project / "docker" / "Dockerfile").read_text().splitlines()
    service = lines[lines.index("FROM ${BASE} AS service") :]

    assert "USER 10001" in service
    assert "STOPSIGNAL SIGTERM" in service
    assert all("[" in line for line in service if line.startswith(("CMD", "ENTRYPOINT", "HEALTHCHECK")))
    assert [line for line in service if line.startswith("COPY")] == [
        "COPY --from=packages /venv /venv",
        "COPY src src",
        "COPY docker/main.py docker/main.py",
        "COPY model /model",
    ]


def test_dockerfile_takes_versions_of_packages_from_the_requirements(project: Path) -> None:
    needs = re.search(r'^ARG NEEDS="(.*)"$', (project / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    listed = {re.split("[<>= ]", line)[0] for line in (project / "requirements.txt").read_text().splitlines()}

    assert needs is not None
    assert set(needs[1].split()) <= listed


def test_dockerignore_leaves_what_the_dockerfile_copies(project: Path) -> None:
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "secret.png").touch()

    left = set(Ignored((project / "docker" / ".dockerignore").read_text()).left(project))

    assert {"requirements.txt", "docker/main.py", "src/train.py", "src/data_processing/data_loader.py"} <= left
    assert {name.partition("/")[0] for name in left} == {"requirements.txt", "docker", "src"}
    assert "src/visualization/explore.py" not in left


@pytest.mark.slow
def test_tests_of_a_new_project_pass(project: Path, framework: Framework) -> None:
    skip_without(framework)

    done = in_project(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", imports=imports(framework))

    assert re.search(r"1\d passed", done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["image-classification", "tabular"])
def test_tests_of_a_new_project_pass_without_pytest(projects: Projects, task: Task) -> None:
    skip_without("sklearn")

    done = in_project(projects[task, "sklearn"], "-m", "unittest", "discover", imports=imports("sklearn"))

    assert re.search(r"Ran 1\d tests.*\nOK", done.stderr, re.DOTALL)


def in_fresh_process(project: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Execute a program in the project with nothing imported before; it may fail."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT_SRC), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)


def test_page_says_how_to_install_streamlit(project: Path, framework: Framework) -> None:
    skip_without(framework)
    without = "import runpy, sys; sys.modules['streamlit'] = None; runpy.run_path('src/visualization/explore.py')"

    done = in_fresh_process(project, without)

    assert done.returncode == 1
    assert "pip install 'runyard[streamlit]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_container_imports_for_onnx_is_neither_torch_nor_scikit_learn(project: Path) -> None:
    told = "import sys, src.inference, src.data_processing.contract; print(*sys.modules)"

    done = in_fresh_process(project, told)

    assert done.returncode == 0, done.stderr
    modules = done.stdout.split()
    assert not {"torch", "sklearn", "skops", "safetensors"} & set(modules)


SCRIPT = """
import json, sys
from pathlib import Path
from runyard.delivery import PackageOrder, make_package
from runyard.serve.interface import Interface
from runyard.testing import rehearse
from src import inference
from src.config import DEFAULT
from src.train import train
samples = Path("tests/data")
with rehearse(DEFAULT) as rehearsal:
    train(DEFAULT, rehearsal.run)
    print("reached", rehearsal.values(sys.argv[2])[-1])
    make_package(PackageOrder(model=rehearsal.model, inference=inference, samples=samples), Path(sys.argv[1]))
model = inference.load(Path(sys.argv[1]), "cpu")
interface = Interface(inference.predict)
for output in inference.predict(model, [item for _, item in inference.read(samples)]):
    print("predicted", json.dumps(interface.document(output)))
"""
GOOD = {"val/accuracy": 0.9, "val/skill": 0.2}  # what the defaults reach at least
COLUMNS: dict[Task, list[str]] = {
    "image-classification": ["input", "label", "probability"],
    "tabular": ["input", "label", "probability"],
    "timeseries": ["input", "value"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KINDS[1], KINDS[2], KINDS[4]], ids="-".join)  # each kind of input once
def test_default_training_is_good_and_the_container_program_predicts_as_inference_does(
    project: Path, kind: tuple[Task, Framework], tmp_path: Path
) -> None:
    task, framework = kind
    skip_without(framework)
    metric = next(key for key in METRICS[task] if key in GOOD)
    trained = in_project(project, "-c", SCRIPT, str(tmp_path / "model"), metric, imports=imports(framework))
    lines = trained.stdout.splitlines()
    assert float(next(line for line in lines if line.startswith("reached")).split()[1]) > GOOD[metric]

    # called from elsewhere, as a container may do; it proves the model with the golden samples first
    program, inputs = str(project / "docker" / "main.py"), str(project / "tests" / "data")
    arguments = ("batch", inputs, str(tmp_path / "out.csv"))
    in_project(tmp_path, program, *arguments, imports=imports(framework), MODEL=str(tmp_path / "model"))

    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [json.loads(line.partition(" ")[2]) for line in lines if line.startswith("predicted")]
    assert list(rows[0]) == COLUMNS[task]
    for row, output in zip(rows, wanted, strict=True):
        found = {name: json.loads(row[name]) for name in output}
        assert differences(output, found, Tolerance()) == []


def imports(framework: Framework) -> tuple[str, ...]:
    """What takes most of the time of a command in a project: packages alone, nothing of the project."""
    return ("pytest", "sklearn.datasets", "PIL.Image", "torch" if framework == "torch" else "skops.io")


def skip_without(framework: Framework) -> None:
    missing = [name for name in NEEDS[framework] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
