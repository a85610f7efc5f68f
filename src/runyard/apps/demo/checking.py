"""Proving that a packed demo works without a network, and that nobody tries to reach one.

The network is taken away (a namespace of its own, where the kernel allows it) and every attempt is written down: by an
audit hook inside of each Python process, and by `strace`, where it is installed, from outside.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runyard.apps.demo.layout import APP_FOLDER
from runyard.apps.demo.packing import read_pack
from runyard.apps.demo.rehearsing import PageResult, chosen
from runyard.apps.demo.watching import attempts_in_trace
from runyard.apps.show import starting

_PATIENCE_S = 900


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was seen.

    Attributes:
        pages: each page, and "server".
        outside: addresses beyond this machine that somebody tried to reach, each once.
        is_blocked: whether the network was really away.
        is_traced: whether system calls were watched, too, and not only Python.
    """

    pages: tuple[PageResult, ...]
    outside: tuple[str, ...]
    is_blocked: bool
    is_traced: bool

    @property
    def is_in_order(self) -> bool:
        return not self.outside and all(not page.problem for page in self.pages)


def check(folder: Path) -> Check:
    """Show all pages of a packed demo, and start its server; takes some seconds.

    Raises:
        NotFound: it is no packed demo.
        MissingExtra: Streamlit is not installed.
    """
    about = read_pack(folder)
    starting.require_streamlit()
    folder = folder.absolute()
    is_blocked, is_traced = _can(_blocked("true")), _can(_traced(["true"], os.devnull))
    with tempfile.TemporaryDirectory(prefix="runyard-check-") as scratch:
        log, trace, result = (Path(scratch) / name for name in ("attempts", "trace", "result.json"))
        command = [sys.executable, "-m", "runyard.apps.demo.rehearsing", str(folder), str(log), str(result)]
        if is_traced:
            command = _traced(command, str(trace))
        if is_blocked:
            command = _blocked(*command)
        variables = chosen(folder, about.run, about.second, about.language)
        home = {"RUNYARD_HOME": str(Path(scratch) / "home"), "RUNYARD_URL": "local"}  # not that of this machine
        home["PYTHONDONTWRITEBYTECODE"] = "1"  # compiled code names the folder that it was compiled in
        done = subprocess.run(
            command,
            cwd=folder / APP_FOLDER,
            env=starting.environment(folder / APP_FOLDER, **variables, **home),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        outside = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
        if trace.is_file():
            with trace.open(encoding="utf-8", errors="replace") as lines:
                outside += attempts_in_trace(lines)
        pages = _results(result, done.stderr)
    return Check(pages=pages, outside=tuple(dict.fromkeys(outside)), is_blocked=is_blocked, is_traced=is_traced)


def _results(path: Path, said: str) -> tuple[PageResult, ...]:
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=list[PageResult]))
    except FileNotFoundError:
        last = said.strip().splitlines()[-1:] or ["nothing was said"]
        return (PageResult(page="start", problem=f"It broke off: {last[0]}"),)


def _blocked(*command: str) -> list[str]:
    """In a namespace without any network; an ordinary user becomes root inside of it, to raise loopback."""
    return ["unshare", "-n" if os.geteuid() == 0 else "-rn", *command]


def _traced(command: list[str], trace: str) -> list[str]:
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-e", calls, "-o", trace, *command]


def _can(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
