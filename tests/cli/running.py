"""`runyard server` in a process of its own."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.builders import environment

LINK = re.compile(r"(https?://\S+)/#/welcome/(\S+)")


class Running:
    """A server in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", lines: list[str], url: str) -> None:
        self.process = process
        self.lines = lines
        self.url = url

    def end(self) -> str:
        """Ask it to end; return what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=30)[1]


@contextmanager
def running(home: Path, *options: str, lines: int = 1) -> Iterator[Running]:
    """Start the server and read so many lines from it."""
    command = [sys.executable, "-m", "runyard", "server", "--port", "0", *options]
    process = subprocess.Popen(
        command, env=environment(home, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        found = re.search(r"https?://\S+", read[0])
        assert found, (read, process.communicate(timeout=30))
        yield Running(process, read, found[0].rstrip("/"))
    finally:
        process.kill()
        process.communicate()
