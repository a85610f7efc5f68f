"""Runs as training and supervisor would leave them: real folders, real journals, the real client."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runyard.client import Client, open_client
from runyard.index import RunRow
from runyard.journal import HOST, MAIN, Attempt, JournalWriter
from runyard.journal.events import (
    ArtifactStored,
    Ended,
    Environment,
    Failed,
    Finished,
    Opened,
    Output,
    Progress,
    Started,
)
from runyard.records import CodeState, RunId, RunSpec, RunState, new_run_id
from tests import warm

ELSEWHERE = "ws7"  # a host that is not this one: nobody here settles its runs
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m [red]markup[/red] :smile: \u202egnp.exe\u2066 \x9b2J" + "long" * 60


class Yard:
    """A home to fill with runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.client: Client = open_client(path)
        self.client.refresh()
        self._minutes = 0

    def run(
        self,
        *,
        name: str = "",
        project: str = "weld",
        config: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Sequence[float]] | None = None,
        state: RunState | None = RunState.COMPLETED,
        reason: str = "",
        output: str = "",
        group: str = "",
        code: CodeState | None = None,
        files: Mapping[str, bytes] | None = None,
        progress: tuple[float, float] | None = None,
        packages: Mapping[str, str] | None = None,
        traceback: str = "",
        **spec: Any,
    ) -> RunRow:
        """A run with one attempt; `state` None: it has not ended; QUEUED: it has not even started."""
        self._minutes += 1
        settings = dict(config or {})
        run_id = spec.pop("id", new_run_id())
        asked = RunSpec(
            id=run_id,
            name=name or f"run-{self._minutes}",
            project=project,
            created_at=spec.pop("created_at", NOON + timedelta(minutes=self._minutes)),
            config=settings,
            seed=settings.get("seed"),
            config_id=f"{abs(hash(str(settings))):064x}",
            group=group,
            code=code or CodeState(),
            user="anna",
            is_queued=spec.pop("is_queued", state is RunState.QUEUED),
            **spec,
        )
        self.client.submit([asked])
        if state is not RunState.QUEUED:
            attempt = self.client.folder(run_id).attempt(1)
            attempt.path.mkdir(parents=True)
            start_ns = int(asked.created_at.timestamp() * 1e9) + 1_000_000_000
            self._train(attempt, start_ns, metrics or {}, progress, reason, traceback, state)
            self._watch(attempt, start_ns, output, state, reason, files or {}, packages or {})
        self.client.index.catch_up(run_id)
        return self.client.index.get(run_id)

    def execute(self, run_id: str) -> None:
        """Let a waiting run be executed from start to end, without telling the index."""
        attempt = self.client.folder(run_id).attempt(1)
        attempt.path.mkdir(parents=True)
        start_ns = int(NOON.timestamp() * 1e9)
        self._train(attempt, start_ns, {}, None, "", "", RunState.COMPLETED)
        self._watch(attempt, start_ns, "", RunState.COMPLETED, "", {}, {})

    def _train(
        self,
        attempt: Attempt,
        start_ns: int,
        metrics: Mapping[str, Sequence[float]],
        progress: tuple[float, float] | None,
        reason: str,
        traceback: str,
        state: RunState | None,
    ) -> None:
        journal = JournalWriter(attempt.journal(MAIN), run=attempt.run.id, attempt=attempt.number, stream=MAIN)
        journal.event(Opened(time_ns=start_ns, pid=1))
        for key, values in metrics.items():
            schema = journal.declare((key,))
            for step, value in enumerate(values):
                journal.append(schema.encode(step, start_ns + (step + 1) * 1_000_000_000, (value,)))
        if progress:
            journal.event(Progress(time_ns=start_ns, done=0, total=progress[1], label="epochs"))
            journal.event(Progress(time_ns=start_ns + 10**10, done=progress[0], total=progress[1], label="epochs"))
        if traceback:
            journal.event(
                Failed(
                    time_ns=start_ns + 60 * 10**9,
                    type="ValueError",
                    message=reason,
                    traceback=traceback,
                    fingerprint="f",
                )
            )
        elif state is RunState.COMPLETED:
            journal.event(Finished(time_ns=start_ns + 60 * 10**9))
        journal.close()

    def _watch(
        self,
        attempt: Attempt,
        start_ns: int,
        output: str,
        state: RunState | None,
        reason: str,
        files: Mapping[str, bytes],
        packages: Mapping[str, str],
    ) -> None:
        journal = JournalWriter(attempt.journal(HOST), run=attempt.run.id, attempt=attempt.number, stream=HOST)
        journal.event(Started(time_ns=start_ns, host=ELSEWHERE, user="anna", pid=1, devices=("cpu-0",)))
        journal.event(Environment(time_ns=start_ns, python="3.12.1", platform="Linux", packages=dict(packages)))
        for line in output.splitlines(keepends=True):
            journal.event(Output(time_ns=start_ns, text=line))
        for name, data in files.items():
            sha256 = self.client.artifacts.put_bytes(data)
            journal.event(ArtifactStored(time_ns=start_ns, name=name, sha256=sha256, size_bytes=len(data)))
        if state is not None:
            journal.event(Ended(time_ns=start_ns + 60 * 10**9, state=str(state), reason=reason, exit_code=0))
        journal.close()

    def append_output(self, run_id: RunId, text: str, *, ended: RunState | None = None) -> None:
        """The supervisor of a run that has not ended writes more."""
        attempt = self.client.folder(run_id).attempts()[-1]
        journal = JournalWriter(attempt.journal(HOST), run=run_id, attempt=attempt.number, stream=HOST)
        journal.event(Output(time_ns=1, text=text))
        if ended:
            journal.event(Ended(time_ns=int((NOON + timedelta(hours=1)).timestamp() * 1e9), state=str(ended)))
        journal.close()


def environment(home: Path, **extra: str) -> dict[str, str]:
    """A clean environment for a command."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RUNYARD_", "NO_COLOR", "FORCE_"))
    }
    source = str(Path(__file__).parents[2] / "src")
    return kept | {"RUNYARD_HOME": str(home), "PYTHONPATH": source, "COLUMNS": "160"} | extra


def runyard(home: Path, *args: str, cwd: Path | None = None, **extra: str) -> "subprocess.CompletedProcess[str]":
    """Execute a command of the program in a process of its own."""
    return warm.call(["-m", "runyard.cli.main", *args], cwd=cwd or home, env=environment(home, **extra))
