"""What pytest does for a project, in a pytest of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import runyard

SOURCE = Path(runyard.__file__).parents[1]

TESTS = """
import unittest
import pytest
from src.numbers import ONE

class NumberTest(unittest.TestCase):
    def test_one(self):
        self.assertEqual(ONE, 1)

@pytest.mark.gpu
def test_on_gpu():
    raise RuntimeError("there is no GPU, so this never runs")

@pytest.mark.skip(reason="CUDA is not available")
def test_with_cuda():
    pass

@pytest.mark.skip(reason="needs a scanner")
@pytest.mark.slow
def test_with_scanner():
    pass
"""

PYTEST = [str(Path(sys.executable).with_name("pytest")), "-p", "runyard.testing.plugin"]

Pytest = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "weld"
    (folder / "src").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "runyard.toml").write_text('name = "weld"\n')
    (folder / "src" / "numbers.py").write_text("ONE = 1\n")
    (folder / "tests" / "test_numbers.py").write_text(TESTS)
    return folder


@pytest.fixture
def run_pytest(project: Path) -> Pytest:
    def run(*options: str, cwd: Path = project, **variables: str) -> "subprocess.CompletedProcess[str]":
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "RUNYARD"))}
        return subprocess.run(
            [*PYTEST, "-p", "no:cacheprovider", "--strict-markers", "-rs", "-q", *options],
            cwd=cwd,
            env={**inherited, "PYTHONPATH": str(SOURCE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_project_is_importable_and_its_marks_are_known(run_pytest: Pytest, project: Path) -> None:
    done = run_pytest()

    assert "1 passed, 3 skipped" in done.stdout, done.stdout + done.stderr
    assert "there is no GPU here" in done.stdout
    elsewhere = run_pytest(str(project / "tests" / "test_numbers.py"), cwd=project.parent)
    assert "1 passed, 3 skipped" in elsewhere.stdout


def test_a_skip_for_want_of_a_gpu_fails_where_there_must_be_one(run_pytest: Pytest) -> None:
    done = run_pytest(RUNYARD_REQUIRE_GPU="1")

    assert "1 passed, 1 skipped, 2 errors" in done.stdout, done.stdout + done.stderr
    assert "RUNYARD_REQUIRE_GPU=1, but this test was skipped: there is no GPU here" in done.stdout
    assert "RUNYARD_REQUIRE_GPU=1, but this test was skipped: CUDA is not available" in done.stdout


def test_junit_files_say_what_was_tested(run_pytest: Pytest, project: Path) -> None:
    run_pytest("--junitxml=junit.xml")

    found = ElementTree.parse(project / "junit.xml").iter("property")
    facts = {each.get("name"): each.get("value") for each in found}
    assert facts["project"] == "weld"
    assert facts["runyard"] == runyard.__version__
    assert {"python", "host"} < facts.keys()
