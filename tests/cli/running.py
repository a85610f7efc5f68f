"""`runyard server` in a process of its own."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests import warm
from tests.cli.builders import environment

LINK = re.compile(r"(https?://\S+)/#/welcome/(\S+)")


class Running:
    """A server in a process of its own."""

    def __init__(
        self, process: "warm.Process | subprocess.Popen[bytes]", lines: list[str], url: str, errors: IO[str]
    ) -> None:
        self.process = process
        self.lines = lines
        self.url = url
        self._errors = errors

    def end(self) -> str:
        """Ask it to end; return what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._errors.seek(0)
        return self._errors.read()


@contextmanager
def running(home: Path, *options: str, lines: int = 1) -> Iterator[Running]:
    """Start the server and read so many lines from it."""
    command = ["-m", "runyard", "server", "--port", "0", *options]
    env = environment(home, PYTHONUNBUFFERED="1")
    reader, writer = os.pipe()
    with open(reader) as said, tempfile.TemporaryFile("w+") as errors:
        with open(writer, "w") as out:
            process = warm.start(command, cwd=Path.cwd(), env=env, out=out, err=errors, imports=warm.SERVER)
        try:
            read = [said.readline() for _ in range(lines)]
            found = re.search(r"https?://\S+", read[0])
            if not found:
                process.wait(30)
                errors.seek(0)
                raise AssertionError((read, errors.read()))
            yield Running(process, read, found[0].rstrip("/"), errors)
        finally:
            process.kill()
            process.wait()
