"""A command in a warm process is what it is in a fresh one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

PROGRAM = """
import os, sys
import beside
print(sys.argv, os.getcwd(), __name__, __file__, sys.path[0], os.environ.get("ONLY_HERE"), os.environ.get("HOME"))
print("ünd", file=sys.stderr)
if sys.argv[1:] == ["raises"]:
    raise KeyError("x")
if sys.argv[1:] == ["is killed"]:
    os.kill(os.getpid(), 9)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("argument", ["0", "3", "raises", "is killed"])
def test_a_warm_command_has_arguments_variables_folder_streams_and_end_of_a_fresh_one(
    tmp_path: Path, argument: str
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "beside.py").touch()
    command, env = ["program.py", argument], dict(os.environ) | {"ONLY_HERE": "1"}
    fresh = subprocess.run([sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True)

    found = warm.call(command, cwd=tmp_path, env=env)

    assert (found.returncode, found.stdout) == (fresh.returncode, fresh.stdout)
    assert found.stderr.splitlines()[:1] == fresh.stderr.splitlines()[:1]
    assert found.stderr.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


def test_what_one_warm_command_does_is_unknown_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("import os, runyard; os.environ['A'] = runyard.A = '1'; os.chdir('/')")
    (tmp_path / "second.py").write_text("import os, runyard; print(os.environ.get('A'), hasattr(runyard, 'A'))")
    env = {name: value for name, value in os.environ.items() if name != "A"}

    warm.call(["first.py"], cwd=tmp_path, env=env)

    assert warm.call(["second.py"], cwd=tmp_path, env=env).stdout == "None False\n"


def test_a_warm_command_that_hangs_is_ended(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text("import signal; signal.pause()")

    with pytest.raises(subprocess.TimeoutExpired):
        warm.call(["hangs.py"], cwd=tmp_path, env=os.environ, timeout_s=0.2)
