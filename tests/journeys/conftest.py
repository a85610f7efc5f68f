"""A small project whose training needs the standard library only, so that whole stories stay quick."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests import warm

RUN_PY = """from runyard.runner import main

raise SystemExit(main(__file__))
"""

CONFIG_PY = """from runyard import Config

class TrainConfig(Config):
    seed: int = 0
    lr: float = 0.1
    steps: int = 20
    fails: bool = False

DEFAULT = TrainConfig()
OVERRIDE = {"lr": [0.1, 0.2], "seed": [0, 1]}
"""

SEEDS_PY = """from runyard import Config

class TrainConfig(Config):
    seed: int = 0

DEFAULT = TrainConfig()
"""

TRAIN_PY = """def train(config, run):
    for step in range(config.steps):
        if config.fails:
            raise RuntimeError(f"seed {config.seed} broke at {step}")
        run.log(loss=config.lr / (step + 1), step=step)
"""


@dataclass
class Story:
    """A project, a home, and the means to type commands into them."""

    folder: Path
    home: Path
    env: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "run.py", *arguments]

    def run(self, *arguments: str, check: bool = True, timeout_s: float = 90) -> "subprocess.CompletedProcess[str]":
        """`python run.py …`, to its end."""
        return self._call(["run.py", *arguments], check=check, timeout_s=timeout_s)

    def runyard(self, *arguments: str, check: bool = True, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """`runyard …`, to its end."""
        return self._call(["-m", "runyard.cli.main", *arguments], check=check, timeout_s=timeout_s)

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """`python run.py …`, left running; its output goes to worker.log in the home."""
        with (self.home.parent / "worker.log").open("ab") as log:
            return subprocess.Popen(self.command(*arguments), cwd=self.folder, env=self.env, stdout=log, stderr=log)

    def processes(self, module: str) -> list[psutil.Process]:
        """Living processes of this story that run the given module."""
        found = []
        for process in psutil.process_iter():
            try:
                if module in process.cmdline() and process.environ().get("RUNYARD_HOME") == str(self.home):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def _call(self, command: list[str], *, check: bool, timeout_s: float) -> "subprocess.CompletedProcess[str]":
        done = warm.call(command, cwd=self.folder, env=self.env, timeout_s=timeout_s)
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done


@pytest.fixture
def make_story(tmp_path: Path) -> Iterator[Callable[..., Story]]:
    """A function that lays out a project and a home; what still runs at the end is ended."""
    stories: list[Story] = []

    def make(
        *, train: str = TRAIN_PY, config: str = CONFIG_PY, name: str = "weld-seam", slots: int = 2, **extra: str
    ) -> Story:
        folder = tmp_path / name
        (folder / "src").mkdir(parents=True)
        (folder / "run.py").write_text(RUN_PY)
        (folder / "runyard.toml").write_text(f'name = "{name}"\n')
        (folder / "src" / "train.py").write_text(train)
        (folder / "src" / "config.py").write_text(config)
        home = tmp_path / f"{name}-home"
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RUNYARD_")},
            "RUNYARD_HOME": str(home),
            "RUNYARD_LOCK_DIR": str(tmp_path / "locks"),
            "RUNYARD_CPU_SLOTS": str(slots),
            "NO_COLOR": "1",
            "COLUMNS": "200",
            **extra,
        }
        stories.append(Story(folder, home, env))
        return stories[-1]

    yield make
    for story in stories:
        for module in ("run.py", "runyard.supervisor", "runyard.project.child"):
            for process in story.processes(module):
                process.kill()


@pytest.fixture
def story(make_story: Callable[..., Story]) -> Story:
    return make_story()
