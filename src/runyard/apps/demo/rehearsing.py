"""What runs inside of `runyard demo check`: all pages of a packed demo, and its server, watched.

python -m runyard.apps.demo.rehearsing FOLDER LOG RESULT
"""

import fcntl
import socket
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from runyard.apps.demo.layout import APP_FOLDER, SCRIPT
from runyard.apps.demo.packing import read_pack
from runyard.apps.demo.watching import watch
from runyard.apps.show import starting
from runyard.apps.show.app import PAGES
from runyard.apps.show.serving import end, free_port, wait_until_ready
from runyard.apps.words import Language, Words
from runyard.errors import RunyardError

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_TIMEOUT_S = 300


class PageResult(msgspec.Struct, frozen=True, kw_only=True):
    """One page; `problem` is empty if it was shown."""

    page: str
    problem: str = ""


def rehearse(folder: Path, log: Path) -> list[PageResult]:
    """Show every page once, try the first sample, then start the server and ask it for its page."""
    _raise_loopback()
    watch(str(log))
    return [*_pages(folder), _server(folder, log)]


def _pages(folder: Path) -> list[PageResult]:
    from streamlit.testing.v1 import AppTest

    try:
        compile((folder / APP_FOLDER / SCRIPT).read_bytes(), SCRIPT, "exec")
    except SyntaxError as problem:  # Streamlit would only log it
        return [PageResult(page="start", problem=f"{SCRIPT}:{problem.lineno} {problem.msg}")]
    sys.path.insert(0, str(folder / APP_FOLDER))
    test = AppTest.from_file(folder / APP_FOLDER / SCRIPT, default_timeout=_TIMEOUT_S)
    test.run()
    if test.exception or not test.radio:
        return [PageResult(page="start", problem=_problem(test) or "The page has no choice of pages.")]
    found = []
    names = test.radio(key="page").options
    for page in (page for page in PAGES if any(Words(each)(page) in names for each in Language)):
        test.radio(key="page").set_value(page).run()
        if page == "try":
            _try_first_sample(test)
        found.append(PageResult(page=page, problem=_problem(test)))
    return found


def _try_first_sample(test: Any) -> None:  # an AppTest, which has no public name for its parts
    samples = [each for each in test.multiselect if each.key == "samples"]
    if samples and samples[0].options:
        samples[0].set_value([samples[0].options[0]]).run()


def _problem(test: Any) -> str:
    found = [f"{each.message}" for each in test.exception] + [str(each.value) for each in test.error]
    return " ".join(" ".join(found).split())[:1000]


def _server(folder: Path, log: Path) -> PageResult:
    """Started as a customer starts it."""
    about = read_pack(folder)
    port = free_port()
    python, _, *streamlit = starting.command(folder / APP_FOLDER / SCRIPT, port)  # python -m streamlit …
    command = [python, "-m", "runyard.apps.demo.watching", str(log), *streamlit]
    process = subprocess.Popen(
        command,
        cwd=folder / APP_FOLDER,
        env=starting.environment(folder / APP_FOLDER, **chosen(folder, about.run, about.second, about.language)),
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    address = f"http://{starting.HOST}:{port}/"
    try:
        wait_until_ready(process, address)
        with urllib.request.urlopen(address, timeout=30) as answer:
            page = answer.read().decode("utf-8", "replace")
    except (RunyardError, OSError) as problem:
        return PageResult(page="server", problem=str(problem))
    finally:
        end(process)
    return PageResult(page="server", problem="" if "<script" in page else f"{address} answers no page of Streamlit.")


def chosen(folder: Path, run: str, second: str, language: str) -> dict[str, str]:
    """The variables that make a page show a packed folder."""
    variables = {
        starting.PACK: str(folder),
        starting.RUN: run,
        starting.SECOND: second,
        starting.LANGUAGE: language,
    }
    return {name: value for name, value in variables.items() if value}


def _raise_loopback() -> None:
    """In a network namespace of its own the loopback device is down at first; elsewhere it is up already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        try:
            flags = struct.unpack("16sH14s", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))[1]
            if not flags & _IFF_UP:
                fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))
        except OSError:  # no Linux, or no right to: then the server's answer tells
            return


if __name__ == "__main__":
    results = rehearse(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_bytes(msgspec.json.encode(results))
