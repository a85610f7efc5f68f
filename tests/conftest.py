"""What holds for all tests: in CI nothing is left out because something is missing.

A test skips where a person's machine lacks what it needs (a compiler, PyTorch). CI installs all of that (`.ci/run`),
so there a skip would hide that a promise is no longer checked, and it fails.
"""

import gc
import os
import re
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

from runyard.accounts import passwords
from tests import postgresql
from tests.browsing import browser, visit  # noqa: F401  # fixtures, for the dashboard, the report and the page
from tests.postgresql import PostgreSQL, database_of

settings.register_profile("any machine", settings(), deadline=None)  # a busy one is no defect
settings.load_profile("any machine")

MAIN = sys.modules["__main__"]
IS_FIRST_PROCESS = "PYTEST_XDIST_WORKER" not in os.environ

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# What no installation could change. Everything else that a test can miss belongs into .ci/run.
ALLOWED_SKIPS = (
    r"root may read everything",  # permissions cannot be tested as root
    r"only root ",  # nor a second user, nor a small disk, without being root
    r"only Linux ",  # macOS lacks the system call
    r"only where RUNYARD_TEST_OMNIBOARD ",  # 500 MB of npm packages
    r"RUNYARD_TENSORFLOW ",  # 600 MB, to write anew what is kept
    r"RUNYARD_CONTAINERS ",  # an hour's worth of disk and minutes of time: asked for by name, see CONTRIBUTING.md
)


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes that tests start: a shell's background job inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["XDG_CONFIG_HOME"] = os.devnull  # nobody's own login gets into a test
    passwords.weaken()
    if IS_FIRST_PROCESS:
        postgresql.choose_folder()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fifth of the tests' time is waiting for other processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Nothing that was collected is garbage: to look through it again and again takes as long as many tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session", autouse=True)
def same_priority() -> Iterator[None]:
    """A supervisor steps back when its run has ended; a test that is one shall not take the tests after it along."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "nice", lambda _increment: 0)
        yield


@pytest.fixture(autouse=True)
def main_stays_the_main_module() -> Iterator[None]:
    """An app that is tested takes the place of `__main__`; processes that are spawned later would import it."""
    sys.modules["__main__"] = MAIN
    yield
    sys.modules["__main__"] = MAIN


def pytest_unconfigure() -> None:
    if IS_FIRST_PROCESS:
        postgresql.stop()


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of its own with a Git that knows who commits; templates are laid there."""
    home = tmp_path / "user"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in (
        "GIT_CONFIG_GLOBAL",
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
    ):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(scope="session")
def postgresql_server() -> PostgreSQL:
    """A real one, started when the first test asks for it."""
    return postgresql.start()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database may be opened: a file that does not exist yet, or the URL of an empty PostgreSQL database."""
    if request.param == "sqlite":
        yield str(tmp_path / "deep" / "runyard.db")
        return
    with request.getfixturevalue("postgresql_server").database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The database of a home: None for its file, else the URL of one with tables and nothing in them."""
    with database_of(request) as url:
        yield url


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
