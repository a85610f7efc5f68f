"""What pytest does for a project without a conftest.py: marks `gpu` and `slow`, imports from `src`, facts for JUnit.

A test that is marked `gpu` is skipped where there is no GPU. On a machine that has to have one, `RUNYARD_REQUIRE_GPU=1`
makes a failure of that: a green pipeline that skipped everything deceives.
"""

import os
import platform
import re
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

REQUIRE_VARIABLE = "RUNYARD_REQUIRE_GPU"
PROJECT_FILE = "runyard.toml"

_OF_GPU = re.compile(r"\b(gpus?|cuda)\b", re.IGNORECASE)
_MARKS = (
    "gpu: needs a GPU; skipped where there is none, unless RUNYARD_REQUIRE_GPU=1 makes a failure of that",
    "slow: takes more than a few seconds; leave it out with -m 'not slow'",
)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Let tests import `src`, from whatever folder pytest was called."""
    root = _project(early_config, args)
    if root is not None and str(root) not in sys.path:
        sys.path.insert(0, str(root))


def pytest_configure(config: pytest.Config) -> None:
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("there is no GPU here")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get(REQUIRE_VARIABLE) == "1" and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if item.get_closest_marker("gpu") or _OF_GPU.search(reason):
            report.outcome = "failed"
            report.longrepr = f"{REQUIRE_VARIABLE}=1, but this test was skipped: {reason.removeprefix('Skipped: ')}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _runyard_facts(record_testsuite_property: object, pytestconfig: pytest.Config) -> None:
    """Which project, code and versions a JUnit file is about."""
    if not callable(record_testsuite_property) or not pytestconfig.getoption("xmlpath", None):
        return
    import runyard  # late, as the next: only for those who write JUnit files
    from runyard.git import read_state

    root = _project(pytestconfig, [])
    facts = {"runyard": runyard.__version__, "python": platform.python_version(), "host": platform.node()}
    if root is not None:
        facts["project"] = root.name
        state = read_state(root)
        if state is not None and state.commit:
            facts["commit"] = state.commit + ("-dirty" if state.is_dirty else "")
    for name, value in facts.items():
        record_testsuite_property(name, value)


def _project(config: pytest.Config, args: list[str]) -> Path | None:
    """The project that the tests belong to: above what is named on the command line, else above the current folder."""
    named = [Path(arg.split("::")[0]) for arg in args if not arg.startswith("-")]
    starts = [path.absolute() for path in named if path.exists()] or [Path(config.invocation_params.dir).absolute()]
    for folder in (starts[0], *starts[0].parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return None


def _has_gpu() -> bool:
    torch = sys.modules.get("torch")
    if torch is not None:  # it knows best what it can use
        return bool(torch.cuda.is_available())
    from runyard.devices.nvml import gpus  # late: only for tests that ask

    return bool(gpus())
