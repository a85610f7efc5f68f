"""Nothing is ever contacted: a whole story without a network, and a trace of every attempt to reach one.

A namespace blocks the traffic, but only strace proves that nobody tried: a program may swallow the error.
A planted leak shows that the proof would notice.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.conftest import Story

STORY = """
import subprocess, sys
def call(*command):
    subprocess.run([sys.executable, *command], check=True)
call("run.py", "train", "--grid", "--queue")
call("run.py", "work", "--drain")
call("run.py", "train", "seed=7")
for command in (["runs"], ["show", "last"], ["best"], ["doctor"], ["reindex"], ["export", "last"]):
    call("-m", "runyard.cli.main", *command)
import runyard
with runyard.start_run(project="notebook") as run:
    run.log(loss=1.0)
"""
LEAK = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"

_OF_THE_NET = re.compile(r"sa_family=AF_INET6?\b")
_HARMLESS = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')


def attempts_to_reach(story: Story, program: str, trace: Path) -> list[str]:
    """Every system call of the program and its children that names an address beyond this machine."""
    traced = [
        *("strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o", str(trace)),
        *("-e", "trace=connect,sendto,sendmsg,sendmmsg,bind", sys.executable, "-c", program),
    ]
    done = subprocess.run(
        ["unshare", "-n", *traced], cwd=story.folder, env=story.env, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr or program == LEAK, done.stderr
    lines = trace.read_text().splitlines()
    return [line for line in lines if _OF_THE_NET.search(line) and not _HARMLESS.search(line)]


def can_trace() -> bool:
    if os.geteuid() != 0 or not shutil.which("strace") or not shutil.which("unshare"):
        return False
    probe = ["unshare", "-n", "strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect", "-o", os.devnull, "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(not can_trace(), reason="needs root, unshare and strace")
def test_no_address_beyond_this_machine_is_ever_contacted(story: Story, tmp_path: Path) -> None:
    tried = attempts_to_reach(story, STORY, tmp_path / "story.trace")
    planted = attempts_to_reach(story, LEAK, tmp_path / "leak.trace")

    assert tried == []
    assert planted, "the trace would not have shown a leak"
    assert len(os.listdir(story.home / "runs")) == 6
