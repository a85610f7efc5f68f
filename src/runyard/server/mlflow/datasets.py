"""Datasets that runs read: a small JSON file of the run each, of the kind "dataset", so that it travels with the run.

The same name and digest are one dataset in an experiment: what was logged first is what everybody sees.
"""

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from runyard.errors import NotFound
from runyard.index.rows import ArtifactRow
from runyard.journal import HOST
from runyard.journal.events import ArtifactStored
from runyard.server.mlflow import catalog, models, names
from runyard.server.mlflow.asked import Asked
from runyard.server.mlflow.errors import MlflowError, too_long
from runyard.server.mlflow.forms import NEEDED, TEXT, TEXTS, Field, Form, pairs

KIND = "dataset"
_CONTEXT = "mlflow.data.context"
_MOST = 1000
_MOST_EXPERIMENTS = 20
_LIMITS = {"name": names.DATASET, "digest": names.DIGEST, "source": names.SOURCE, "schema": names.SCHEMA,
           "profile": names.PROFILE}  # fmt: skip

_DATASET: Form = {
    "name": NEEDED, "digest": NEEDED, "source_type": NEEDED, "source": NEEDED, "schema": TEXT, "profile": TEXT,
}  # fmt: skip
_TAG: Form = {"key": NEEDED, "value": NEEDED}
_INPUT: Form = {"tags": Field("list", of=_TAG), "dataset": Field("map", is_required=True, of=_DATASET)}
LOG: Form = {
    "run_id": NEEDED,
    "datasets": Field("list", of=_INPUT),
    "models": Field("list", of={"model_id": NEEDED}),
}
SEARCH: Form = {"experiment_ids": TEXTS}


def log_inputs(asked: Asked) -> dict[str, Any]:
    """Datasets and models that a run reads; what it has already changes nothing."""
    found = asked.get("datasets", [])
    if len(found) > _MOST:
        raise MlflowError(f"A request can contain at most {_MOST} datasets. Got {len(found)}.")
    for index, each in enumerate(found):
        _check(each, f"datasets[{index}]")
    row = asked.row()
    experiment = catalog.experiment_of(row, catalog.every(asked))
    known = {_place(each) for each in of_runs(asked, [row.id]).get(row.id, ())}
    with asked.writing() as pen:
        for each in found:
            data, tags = each["dataset"], {tag["key"]: tag["value"] for tag in each.get("tags", ())}
            if (data["name"], data["digest"]) not in known:
                known.add((data["name"], data["digest"]))
                pen.write(_stored(asked, experiment, data, tags), stream=HOST)
    models.note_inputs(asked, row.id, [each["model_id"] for each in asked.get("models", ())])
    return {}


def search(asked: Asked) -> dict[str, Any]:
    """The datasets of some experiments, each with its contexts."""
    wanted = asked.get("experiment_ids", [])
    if len(wanted) > _MOST_EXPERIMENTS:
        raise MlflowError(f"SearchDatasets request can specify at most {_MOST_EXPERIMENTS} experiment_ids.")
    experiments: dict[str, str] = {
        row.id: number for row, number in catalog.rows_of(asked, set(wanted), catalog.every(asked), trashed=False)
    }
    found: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for run_id, rows in of_runs(asked, list(experiments)).items():
        for row in rows:
            name, digest, context = (str(value(row, key) or "") for key in ("name", "digest", "context"))
            summary = {"experiment_id": experiments[run_id], "name": name, "digest": digest}
            found[experiments[run_id], name, digest, context] = summary | ({"context": context} if context else {})
    return {"dataset_summaries": list(found.values())} if found else {}


def of_runs(asked: Asked, run_ids: Sequence[str]) -> dict[str, list[ArtifactRow]]:
    """The datasets of runs."""
    return asked.client.index.artifacts_of_kind(run_ids, KIND)


def document(asked: Asked, row: ArtifactRow) -> dict[str, Any]:
    """A dataset and its tags, as a run shows them."""
    return {"dataset": _content(asked, row), "tags": pairs(row.meta.get("tags", {}))}


def value(row: ArtifactRow, key: str) -> str | None:
    """What a filter asks for: name, digest or context."""
    found = row.meta.get("tags", {}).get(_CONTEXT) if key == "context" else row.meta.get(key)
    return None if found is None else str(found)


def _stored(asked: Asked, experiment: str, data: dict[str, str], tags: dict[str, str]) -> ArtifactStored:
    place = msgspec.json.encode([experiment, data["name"], data["digest"]]).decode()
    known = asked.ledger.get(KIND, place)
    if known is None or not asked.client.artifacts.has(known):
        known = asked.client.artifacts.put_bytes(msgspec.json.encode(data))
        asked.ledger.put(KIND, place, known, durable=False)
    return ArtifactStored(
        time_ns=time.time_ns(),
        name=f"datasets/{_file_name(data['name'])}-{_file_name(data['digest'])}.json",
        sha256=known,
        size_bytes=asked.client.artifacts.size(known),
        kind=KIND,
        meta={"name": data["name"], "digest": data["digest"], "tags": tags},
    )


def _content(asked: Asked, row: ArtifactRow) -> dict[str, str]:
    try:
        return msgspec.json.decode(asked.client.artifacts.path(row.sha256).read_bytes(), type=dict[str, str])
    except (NotFound, msgspec.MsgspecError):  # lost, or somebody else's file of the same kind
        return {"name": str(row.meta.get("name", row.name)), "digest": str(row.meta.get("digest", ""))}


def _check(each: dict[str, Any], place: str) -> None:
    for name, limit in _LIMITS.items():
        if len(each["dataset"].get(name, "")) > limit:
            raise too_long(f"{place}.dataset.{name}", limit)
    for index, tag in enumerate(each.get("tags", ())):
        if len(tag["key"]) > names.INPUT_TAG_KEY:
            raise too_long(f"{place}.tags[{index}].key", names.INPUT_TAG_KEY)
        if len(tag["value"]) > names.INPUT_TAG:
            raise too_long(f"{place}.tags[{index}].value", names.INPUT_TAG)


def _place(row: ArtifactRow) -> tuple[str, str]:
    return str(row.meta.get("name")), str(row.meta.get("digest"))


def _file_name(text: str) -> str:
    """Of a name that may be anything: for people, never a path."""
    return "".join(each if each.isalnum() or each in "-_." else "_" for each in text).strip(".")[:100] or "_"
