"""What holds for all tests: in CI nothing is left out because something is missing.

A test skips where a person's machine lacks what it needs (a compiler, PyTorch). CI installs all of that (`.ci/run`),
so there a skip would hide that a promise is no longer checked, and it fails.
"""

import os
import re
import signal
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

settings.register_profile("any machine", settings(), deadline=None)  # a busy one is no defect
settings.load_profile("any machine")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# What no installation could change. Everything else that a test can miss belongs into .ci/run.
ALLOWED_SKIPS = (
    r"root may read everything",  # permissions cannot be tested as root
    r"only root ",  # nor a second user, nor a small disk, without being root
    r"only Linux ",  # macOS lacks the system call
    r"streamlit is installed",  # the sentence for its absence cannot be seen
)


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes that tests start: a shell's background job inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judge((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judge((yield))  # a whole file can skip itself


def _judge(report: Report) -> Report:
    if (
        report.skipped
        and os.environ.get("CI")
        and not hasattr(report, "wasxfail")
        and isinstance(report.longrepr, tuple)
    ):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not re.match("|".join(ALLOWED_SKIPS), reason):
            report.outcome = "failed"
            report.longrepr = f"skipped, which CI does not allow: {reason}"
    return report
