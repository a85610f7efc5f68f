"""Our runs as documents of Sacred's Mongo schema, so that Omniboard shows them.

What Omniboard needs of a document, and breaks without: an `_id` that is an int, `artifacts` also where there are none,
`info.metrics` with the ids of the metric documents as text, a heartbeat that is not older than two minutes. No key may
hold a dot or begin with a dollar sign, and no document may have more than 16 MB.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import bson
from bson import ObjectId

from runyard.index import RunRow
from runyard.journal.events import Environment, Failed
from runyard.records import RunState

FORMAT = "MongoObserver-0.7.0"
MOST_POINTS = 10_000  # of a metric: Omniboard loads all of them at once
MOST_OUTPUT_BYTES = 1 << 20
LARGEST_DOCUMENT_BYTES = 15 << 20  # MongoDB takes 16 MB, and people's tags and notes are in there, too

_STATUS = {
    RunState.QUEUED: "QUEUED",
    RunState.HELD: "QUEUED",
    RunState.RUNNING: "RUNNING",
    RunState.COMPLETED: "COMPLETED",
    RunState.FAILED: "FAILED",
    RunState.OUT_OF_MEMORY: "FAILED",
    RunState.TIMED_OUT: "TIMEOUT",
}
_ELSE = "INTERRUPTED"  # stopped, interrupted, lost: what Sacred has one word for
_INT64 = 2**63
_SOURCES = "sources/"


def own_fields(
    row: RunRow,
    *,
    heartbeat: datetime | None,
    base_dir: str = "",
    environment: Environment | None = None,
    failure: Failed | None = None,
    output: str = "",
    files: Sequence[tuple[str, ObjectId]] = (),
    metrics: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """All that a mirror writes into a run's document; `_id` and what people write in Omniboard are not among it.

    Args:
        heartbeat: when it was last alive; None of a run that has not started.
        output: what it printed; the end of it is kept.
        files: names and ids in GridFS; what lies in `sources/` is shown as source.
        metrics: `{"name": …, "id": 24 hex digits}` each.
    """
    fields: dict[str, Any] = {
        "experiment": {
            "name": row.experiment or row.project,
            "base_dir": base_dir,
            "sources": [[name.removeprefix(_SOURCES), file_id] for name, file_id in files if name.startswith(_SOURCES)],
            "dependencies": [f"{name}=={version}" for name, version in sorted(_packages(environment).items())],
            "repositories": _repositories(row),
            "mainfile": "run.py",
        },
        "format": FORMAT,
        "command": "train",
        "host": _host(row, environment),
        "config": storable(row.config),
        "meta": {
            "command": "train",
            "options": {},
            "named_configs": [],
            "config_updates": storable(row.changed),
            "comment": row.note,
            "priority": float(row.priority),
            "queue_time": row.created_at,
        },
        "status": _STATUS.get(row.state, _ELSE),
        "info": {
            "runyard": {
                "id": row.id,
                "name": row.name,
                "project": row.project,
                "state": str(row.state),
                "reason": row.reason,
                "attempt": row.attempt,
            },
            "metrics": [dict(each) for each in metrics],
        },
        "resources": [],
        "artifacts": [{"name": name, "file_id": file_id} for name, file_id in files if not name.startswith(_SOURCES)],
        "captured_out": end_of(output),
        "heartbeat": heartbeat,
        "result": row.summary["result"].last if "result" in row.summary else None,
    }
    if row.started_at is not None:
        fields["start_time"] = row.started_at
    if row.ended_at is not None:
        fields["stop_time"] = row.ended_at
    if row.state in (RunState.FAILED, RunState.OUT_OF_MEMORY):
        text = failure.traceback if failure else row.reason
        fields["fail_trace"] = text.splitlines(keepends=True)
    return _small_enough(fields)


def storable(value: Any) -> Any:
    """JSON-like data as BSON takes it: no dot in a key and no dollar sign before it, whole numbers of 64 bits."""
    if isinstance(value, Mapping):
        return {valid_key(str(key)): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return str(value)
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def valid_key(key: str) -> str:
    """A key as Sacred makes it storable: `$x` becomes `@x`, a dot a comma."""
    key = f"@{key[1:]}" if key.startswith("$") else key
    return key.replace(".", ",").replace("\0", " ").encode(errors="replace").decode()


def end_of(text: str) -> str:
    """The last MiB of a text, from the beginning of a line on."""
    raw = text.encode(errors="replace")
    if len(raw) <= MOST_OUTPUT_BYTES:
        return raw.decode()
    kept = raw[-MOST_OUTPUT_BYTES:].partition(b"\n")[2]
    return f"[{len(raw) - len(kept):,} bytes of output left out here]\n{kept.decode(errors='replace')}"


def _small_enough(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is too large, the largest first, and say so in its place."""
    optional = ["config", "fail_trace", "captured_out", "meta", "host", "experiment"]
    while optional and len(bson.encode(fields)) > LARGEST_DOCUMENT_BYTES:
        largest = max(optional, key=lambda name: len(bson.encode({"": fields.get(name)})))
        optional.remove(largest)
        told = "too large for MongoDB; Runyard has it whole"
        fields[largest] = (
            [told] if largest == "fail_trace" else told if largest == "captured_out" else {"runyard": told}
        )
    return fields


def _packages(environment: Environment | None) -> dict[str, str]:
    return environment.packages if environment else {}


def _repositories(row: RunRow) -> list[dict[str, Any]]:
    return [{"url": "", "commit": row.code.commit, "dirty": row.code.is_dirty}] if row.code.commit else []


def _host(row: RunRow, environment: Environment | None) -> dict[str, Any]:
    found: dict[str, Any] = {"hostname": row.host, "os": ["", ""], "python_version": "", "cpu": "", "ENV": {}}
    if environment is not None:
        system, _, rest = environment.platform.partition("-")
        found |= {"os": [system, rest], "python_version": environment.python, "cpu": environment.cpu}
    if row.device_names:
        gpus = [{"model": name, "total_memory": 0, "persistence_mode": False} for name in row.device_names]
        found["gpus"] = {"driver_version": environment.driver if environment else "", "gpus": gpus}
    return found
