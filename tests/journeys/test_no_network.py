"""Nothing is ever contacted: a whole story without a network, and a trace of every attempt to reach one.

A namespace blocks the traffic, but only strace proves that nobody tried: a program may swallow the error.
A planted leak shows that the proof would notice.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
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
# Everything below happens in one namespace without a route. The training reaches for an address beyond it: of all that
# the trace shows, this must be the only attempt.
PLANTED = "192.0.2.1"
LEAKING_TRAIN = f"""
import socket
def train(config, run):
    for step in range(3):
        run.log(loss=1 / (step + 1), step=step)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(("{PLANTED}", 53))
"""
TEAM_STORY = """
import fcntl, http.client, json, os, re, socket, struct, subprocess, sys

# what `ip link set lo up` does
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))

def call(*command, **more):
    subprocess.run([sys.executable, *command], check=True, text=True, **more)

def ask(method, path, document=None, cookie=""):
    connection = http.client.HTTPConnection("127.0.0.1", 8420)
    headers = {"X-Runyard": "1", "Content-Type": "application/json", "Cookie": cookie}
    connection.request(method, path, json.dumps(document) if document else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, (path, content)
    return answer, content

def work(key):
    who = {"name": "ada", "password": "correct horse battery"}
    ask("POST", "/api/v1/links/follow", who | {"link": key})
    answer, _ = ask("POST", "/api/v1/session", who)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    token = json.loads(ask("POST", "/api/v1/session/token", who | {"label": "desk"})[1])["token"]
    call("-m", "runyard", "login", "http://127.0.0.1:8420", "--token", input=token)
    call("run.py", "train", "--grid", "--queue")
    call("run.py", "work", "--drain")
    call("run.py", "train", "seed=7")
    for command in (["sync"], ["runs"], ["show", "last"], ["best"], ["pull", "last"], ["whoami"]):
        call("-m", "runyard", *command)
    for path in ("/", "/api/v1/queue", "/api/v1/machines", "/api/v1/morning", "/api/v1/disk", "/metrics", "/health"):
        ask("GET", path, cookie=cookie)
    listed = json.loads(ask("GET", "/api/v1/runs", cookie=cookie)[1])
    print("states", sorted(run["state"] for run in listed["runs"]))
    call("-m", "runyard", "logout")

served = os.environ | {"RUNYARD_HOME": os.environ["SERVED"]}
command = [sys.executable, "-m", "runyard", "server", "--port", "8420"]
server = subprocess.Popen(command, env=served, stdout=subprocess.PIPE, text=True)
try:
    work(next(found[1] for line in server.stdout if (found := re.search("/#/welcome/(\\S+)", line))))
finally:
    server.terminate()
    assert server.wait() == 0
"""
LEAK = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"

_OF_THE_NET = re.compile(r"sa_family=AF_INET6?\b")
_HARMLESS = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')


def attempts_to_reach(story: Story, program: str, trace: Path) -> list[str]:
    """Every system call of the program and its children that names an address beyond this machine.

    What it prints is left beside the trace.
    """
    traced = [
        *("strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o", str(trace)),
        *("-e", "trace=connect,sendto,sendmsg,sendmmsg,bind", sys.executable, "-c", program),
    ]
    done = subprocess.run(
        ["unshare", "-n", *traced], cwd=story.folder, env=story.env, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr or program == LEAK, done.stderr
    trace.with_suffix(".out").write_text(done.stdout)
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


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(not can_trace(), reason="needs root, unshare and strace")
def test_server_machines_and_dashboard_of_a_team_contact_nobody_else(
    make_story: Callable[..., Story], tmp_path: Path
) -> None:
    story = make_story(train=LEAKING_TRAIN)
    desk = tmp_path / "desk"
    desk.mkdir()
    del story.env["RUNYARD_HOME"]  # a machine that joined a server: its own home, no variable
    story.env |= {"HOME": str(desk), "XDG_CONFIG_HOME": str(desk / ".config"), "SERVED": str(tmp_path / "served")}

    tried = attempts_to_reach(story, TEAM_STORY, tmp_path / "team.trace")

    assert (
        "states ['COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED']"
        in (tmp_path / "team.out").read_text()
    )
    planted = [line for line in tried if f'inet_addr("{PLANTED}")' in line]
    assert len(planted) == 5, "the trace does not reach down to the trainings, so it would not show a leak there"
    assert [line for line in tried if line not in planted] == []
