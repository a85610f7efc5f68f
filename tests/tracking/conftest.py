"""Runs in an empty folder."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runyard.records import RunId, RunSpec, encode_spec
from runyard.tracking import Run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """The folder of a run that was asked for, as a supervisor finds it."""
    folder = tmp_path / "runs" / "abc123"
    (folder / "attempts" / "1").mkdir(parents=True)
    spec = RunSpec(
        id=RunId("abc123"),
        project="weld",
        name="a run",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        config={"lr": 0.1},
    )
    (folder / "run.json").write_bytes(encode_spec(spec))
    return folder


@pytest.fixture
def run(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run that this process is attached to."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    attached = Run.attach(run_dir, 1)
    yield attached
    attached.finish()
