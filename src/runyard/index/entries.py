"""The rows that describe a run: made when it is asked for, changed when its journals say more."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from runyard.database import insert_missing, upsert
from runyard.database.schema import run_config, run_documents, run_metrics, run_tags, runs
from runyard.index.diff import flatten
from runyard.index.merge import Merged, decode_merged, encode_merged, merge, nested, parent_of
from runyard.index.rows import MetricSummary, to_ns
from runyard.records import RunSpec, decode_spec

_LARGEST_INTEGER = 2**63 - 1

# built once: building a statement costs more than executing it
_DOCUMENTS = select(run_documents.c.run_id, run_documents.c.spec, run_documents.c.merged).where(
    run_documents.c.run_id.in_(bindparam("asked", expanding=True))
)
_UPDATE_DOCUMENT = update(run_documents).where(run_documents.c.run_id == bindparam("asked"))
_DELETE_TAG = delete(run_tags).where(run_tags.c.run_id == bindparam("of"), run_tags.c.tag == bindparam("gone"))
_DELETE_METRIC = delete(run_metrics).where(
    run_metrics.c.run_id == bindparam("of"), run_metrics.c.key == bindparam("gone")
)
_INSERTS = {table.name: insert(table) for table in (runs, run_tags, run_config, run_metrics)}


def insert_runs(tx: Connection, specs: Sequence[RunSpec]) -> None:
    """Add those runs that are not known yet, as if nothing had happened to them."""
    insert_merged(tx, [(spec, just_made(spec)) for spec in specs])


def just_made(spec: RunSpec) -> Merged:
    """A run to which nothing has happened."""
    return merge(spec, {}, trim=_nothing_to_trim)


def insert_merged(tx: Connection, pairs: Sequence[tuple[RunSpec, Merged]]) -> None:
    """Add those runs that are not known yet."""
    documents = [
        {"run_id": spec.id, "spec": msgspec.json.encode(spec), "merged": encode_merged(found)} for spec, found in pairs
    ]
    new = insert_missing(tx, run_documents, documents, key="run_id")  # who inserts this row inserts the others, too
    pairs = [pair for pair in pairs if pair[0].id in new]
    _insert(tx, "runs", [_run_columns(spec, found) for spec, found in pairs])
    _insert(tx, "run_tags", [{"run_id": spec.id, "tag": tag} for spec, found in pairs for tag in found.tags])
    settings = [
        _config_columns(spec.id, key, value)
        for spec, found in pairs
        for key, value in flatten(nested(spec.config, found.config)).items()
    ]
    _insert(tx, "run_config", settings)
    metrics = [_metric_columns(spec.id, key, found) for spec, merged in pairs for key, found in merged.summary.items()]
    _insert(tx, "run_metrics", metrics)


def stored(tx: Connection, run_ids: Sequence[str]) -> dict[str, tuple[RunSpec, Merged]]:
    """Those of the runs that are known, by id, as their rows say."""
    found = tx.execute(_DOCUMENTS, {"asked": list(run_ids)}) if run_ids else ()
    return {row.run_id: (decode_spec(row.spec), decode_merged(row.merged)) for row in found}


def change(tx: Connection, changes: Sequence[tuple[RunSpec, Merged, Merged]]) -> None:
    """Bring the rows of runs from what they were to what they are; only what differs is written."""
    if not changes:
        return
    tx.execute(_UPDATE_DOCUMENT, [{"asked": spec.id, "merged": encode_merged(new)} for spec, _, new in changes])
    columns = [after for spec, old, new in changes if (after := _run_columns(spec, new)) != _run_columns(spec, old)]
    upsert(tx, runs, columns)
    _write_tags(tx, changes)
    for spec, old, new in changes:
        _write_config(tx, spec, old, new)
    _write_metrics(tx, changes)


def _write_tags(tx: Connection, changes: Sequence[tuple[RunSpec, Merged, Merged]]) -> None:
    gone = [{"of": spec.id, "gone": tag} for spec, old, new in changes for tag in set(old.tags) - set(new.tags)]
    if gone:
        tx.execute(_DELETE_TAG, gone)
    added = [{"run_id": spec.id, "tag": tag} for spec, old, new in changes for tag in new.tags if tag not in old.tags]
    _insert(tx, "run_tags", added)


def _write_config(tx: Connection, spec: RunSpec, old: Merged, new: Merged) -> None:
    if old.config == new.config:
        return
    before, after = (flatten(nested(spec.config, merged.config)) for merged in (old, new))
    gone = [key for key in before if key not in after]  # a value gave way to settings below it
    if gone:
        tx.execute(delete(run_config).where(run_config.c.run_id == spec.id, run_config.c.key.in_(gone)))
    changed = [key for key, value in after.items() if key not in before or _differ(before[key], value)]
    upsert(tx, run_config, [_config_columns(spec.id, key, after[key]) for key in changed])


def _differ(first: object, second: object) -> bool:
    return type(first) is not type(second) or first != second


def _write_metrics(tx: Connection, changes: Sequence[tuple[RunSpec, Merged, Merged]]) -> None:
    gone = [
        {"of": spec.id, "gone": key} for spec, old, new in changes for key in old.summary.keys() - new.summary.keys()
    ]
    if gone:
        tx.execute(_DELETE_METRIC, gone)
    changed = [
        _metric_columns(spec.id, key, summary)
        for spec, old, new in changes
        for key, summary in new.summary.items()
        if old.summary.get(key) != summary
    ]
    upsert(tx, run_metrics, changed)


def _run_columns(spec: RunSpec, merged: Merged) -> dict[str, Any]:
    return {
        "id": spec.id,
        "project": spec.project,
        "name": merged.name,
        "experiment": merged.experiment if merged.experiment is not None else spec.experiment,
        "grid": spec.grid,
        "kind": spec.kind,
        "state": str(merged.state),
        "reason": merged.reason,
        "attempt": merged.attempt,
        "created_ns": to_ns(spec.created_at),
        "started_ns": merged.started_ns,
        "ended_ns": merged.ended_ns,
        "duration_s": merged.duration_s,
        "user": merged.user,
        "host": merged.host,
        "seed": spec.seed if spec.seed is not None and abs(spec.seed) <= _LARGEST_INTEGER else None,
        "note": merged.note,
        "config_id": spec.config_id,
        "group": spec.group,
        "code_id": spec.code.code_id,
        "fingerprint": merged.fingerprint,
        "data": spec.data,
        "parent": parent_of(spec, merged),
        "source": spec.source,
        "is_trashed": merged.is_trashed,
    }


def _metric_columns(run_id: str, key: str, summary: MetricSummary) -> dict[str, Any]:
    columns = msgspec.structs.asdict(summary)
    columns["last"] = None if math.isnan(summary.last) else summary.last
    return {"run_id": run_id, "key": key} | columns


def _config_columns(run_id: str, key: str, value: object) -> dict[str, Any]:
    columns: dict[str, Any] = {"run_id": run_id, "key": key, "number": None, "text": None, "flag": None}
    if isinstance(value, bool):
        columns["flag"] = value
    elif isinstance(value, int | float):
        columns["number"] = _as_float(value)
    elif isinstance(value, str):
        columns["text"] = value
    elif value is not None:
        columns["text"] = msgspec.json.encode(value).decode()  # a list is compared as a whole
    return columns


def _as_float(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number


def _insert(tx: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.execute(_INSERTS[table], rows)


def _nothing_to_trim(attempt: int, key: str, cut: int) -> None:
    return None
