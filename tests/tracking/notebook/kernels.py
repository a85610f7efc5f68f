"""A kernel to run cells in, and what it shows."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.journal import HOST
from runyard.journal.events import Ended
from tests.tracking.journals import events_in

TIMEOUT_S = 120

NO_SUPERVISOR = "import os; os.posix_spawn = lambda *_, **__: os.getpid()"  # each costs a second of CPU


@dataclass
class Shown:
    """What a cell left behind."""

    status: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(each["content"]["text"] for each in self.messages if each["msg_type"] == "stream")

    def pictures(self, kind: str = "") -> list[dict[str, Any]]:
        """The contents of display messages: display_data or update_display_data, or both."""
        kinds = (kind,) if kind else ("display_data", "update_display_data")
        return [each["content"] for each in self.messages if each["msg_type"] in kinds]


class Kernel:
    """A real ipykernel and a client of it."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self._client = client

    @classmethod
    @contextmanager
    def start(cls, folder: Path) -> Iterator["Kernel"]:
        """A kernel that is ready, with `runyard` imported."""
        from jupyter_client.manager import KernelManager

        manager = KernelManager(connection_file=str(folder / "kernel.json"), transport="ipc", ip=str(folder / "k"))
        manager.start_kernel(cwd=str(folder))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=TIMEOUT_S)
            kernel = cls(manager, client)
            assert kernel.run("import os, signal, runyard").status == "ok"
            yield kernel
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    @property
    def pid(self) -> int:
        """Its process."""
        return int(self.manager.provisioner.pid)

    def run(self, code: str, *, interrupt_at: str = "") -> Shown:
        """Run a cell to its end; Ctrl-C it when it prints `interrupt_at`."""
        shown = Shown("")

        def keep(message: dict[str, Any]) -> None:
            shown.messages.append(message)
            if interrupt_at and message["msg_type"] == "stream" and interrupt_at in message["content"]["text"]:
                self.manager.interrupt_kernel()

        reply = self._client.execute_interactive(code, output_hook=keep, timeout=TIMEOUT_S)
        shown.status = reply["content"]["status"]
        return shown

    def begin(self, code: str, *, until: str) -> None:
        """Start a cell, and return when it has printed `until`."""
        self._client.execute(code)
        while True:
            message = self._client.get_iopub_msg(timeout=TIMEOUT_S)
            if message["msg_type"] == "stream" and until in message["content"]["text"]:
                return

    def restart(self) -> None:
        """As the button in a notebook does it; return when the new one is ready."""
        self.manager.restart_kernel()
        self._client.wait_for_ready(timeout=TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL, as the kernel of Linux does it when memory is short."""
        os.kill(self.pid, signal.SIGKILL)


def ended(run_dir: Path) -> Ended:
    """How the supervisor says that the run ended, once it has."""
    journal = run_dir / "attempts" / "1" / f"{HOST}.journal"
    deadline = time.monotonic() + TIMEOUT_S
    moment = threading.Event()  # never set: the file of another process is all there is to look at
    while not journal.exists():
        assert time.monotonic() < deadline, "the supervisor never came"
        moment.wait(0.01)
    while not (found := events_in(run_dir, Ended, stream=HOST)):
        assert time.monotonic() < deadline, "the supervisor never told an end"
        with journal.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # it holds the lock as long as it lives
    return found[0]
