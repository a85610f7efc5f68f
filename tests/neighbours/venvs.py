"""Virtual environments of their own for the clients of others, made once and kept.

They lie in RUNYARD_TEST_CACHE, else in the user's cache. `.ci/run` makes them ahead: `python -m tests.neighbours.venvs`
Packages that are large and that the project's own environment has (PyTorch) are seen from there.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests import fetched

_TIMEOUT_S = 280
_READY = ".ready"

# mlflow-skinny is all of MLflow's client; 2.0.1 is the oldest of version 2 that Python 3.11 imports
CURRENT = (
    "mlflow-skinny>=3.12",
    "numpy>=2",
    "pandas>=2.2",
    "scikit-learn>=1.5",
    "xgboost-cpu>=3",
    "optuna-integration>=4",
    "keras>=3.8",
)
OLDEST = ("mlflow-skinny==2.0.1", "setuptools<81")  # it imports pkg_resources, which newer ones have not

# setuptools 82 lacks pkg_resources, which Sacred imports; secantusdb speaks MongoDB's protocol
SACRED = (
    "sacred==0.8.7",
    "setuptools<82",
    "pymongo==4.20.0",
    "secantusdb==0.7.0b3",
    "numpy>=1.26",
    "tinydb==4.9.0",
    "tinydb-serialization==2.2.0",
    "hashfs==0.7.2",
)

WANDB = ("wandb==0.31.0", "numpy>=2", "pillow>=11")


class NotInstalled(Exception):
    """The packages cannot be had: no network, or an index that lacks them."""


def python_of(packages: tuple[str, ...], *, sees_ours: bool = False) -> Path:
    """The interpreter of an environment with these packages, made if it is not there.

    Args:
        sees_ours: whether it finds in the project's environment what it lacks itself.

    Raises:
        NotInstalled: they cannot be installed.
    """
    name = hashlib.sha256("\n".join((sys.version, *packages, str(sees_ours))).encode()).hexdigest()[:16]
    folder = fetched.folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:  # several test processes may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _READY).exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, packages, sees_ours=sees_ours)
            (folder / _READY).touch()
    return folder / "bin" / "python"


def _make(folder: Path, packages: tuple[str, ...], *, sees_ours: bool) -> None:
    uv = shutil.which("uv")
    commands = (
        [[uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
         [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages]]
        if uv
        else [[sys.executable, "-m", "venv", str(folder)],
              [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]]
    )  # fmt: skip
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.CalledProcessError as problem:
            raise NotInstalled(problem.stderr[-500:]) from None
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"installing took longer than {_TIMEOUT_S} s") from None
    if sees_ours:
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "zz-ours.pth").write_text(sysconfig.get_path("purelib") + "\n")


if __name__ == "__main__":
    for each, is_open in ((CURRENT, True), (OLDEST, False), (SACRED, True), (WANDB, False)):
        print(python_of(each, sees_ours=is_open))
