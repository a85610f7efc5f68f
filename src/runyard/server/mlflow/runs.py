"""Runs as MLflow shows them: made, changed, put away, brought back, found.

Those that Runyard recorded itself are seen, too: their settings are params, their states those that come nearest.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec

from runyard.bridges.mlflow.keys import ours, theirs
from runyard.index import RunRow
from runyard.index.diff import flatten
from runyard.index.merge import PARENT_LABEL
from runyard.index.rows import ArtifactRow, to_ns
from runyard.index.told import Told
from runyard.journal import HOST
from runyard.journal.events import Ended, Event, Labelled, Noted, Started, Tagged
from runyard.records import CodeState, RunSpec, RunState, is_run_id, new_run_id, tag_of
from runyard.server.mlflow import catalog, datasets, ids, models, moods, names
from runyard.server.mlflow.asked import Asked, now_ms
from runyard.server.mlflow.catalog import NOTED
from runyard.server.mlflow.errors import MISSING, MlflowError, invalid_value
from runyard.server.mlflow.forms import (
    INT,
    LARGEST_INT,
    NEEDED,
    PAIRS,
    SAID,
    TEXT,
    TEXTS,
    Field,
    Form,
    number,
    one_of,
    pairs,
)
from runyard.server.mlflow.pages import check_limit, page
from runyard.server.mlflow.pens import SOURCE, Pen
from runyard.server.mlflow.search import Language, matching, parse_filter, parse_orders, sorted_by

LARGEST_MS = LARGEST_INT // 1_000_000  # what nanoseconds hold: the year 2262
_MOST = 50_000
_LONGEST_TAG = 200
_NAME = "mlflow.runName"
_NOTE = "mlflow.note.content"
_USER = "mlflow.user"
_PARENT = "mlflow.parentRunId"
_COMMIT = "mlflow.source.git.commit"
_ENTRY = "mlflow.source.name"
_THEIRS = "mlflow."
_OPEN = ("RUNNING", "SCHEDULED")
_STATES = {"FINISHED": RunState.COMPLETED, "FAILED": RunState.FAILED, "KILLED": RunState.STOPPED}
_STATUSES = {
    RunState.QUEUED: "SCHEDULED",
    RunState.HELD: "SCHEDULED",
    RunState.RUNNING: "RUNNING",
    RunState.COMPLETED: "FINISHED",
    RunState.STOPPED: "KILLED",
}
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
_LANGUAGE = Language(
    attributes={
        "run_id": "text", "run_name": "text", "status": "text", "artifact_uri": "text", "user_id": "text",
        "lifecycle_stage": "text", "start_time": "number", "end_time": "number",
    },
    aliases={"created": "start_time", "run name": "run_name", "run id": "run_id"},
    entities=frozenset({"metrics", "params", "tags", "attributes", "datasets"}),
    dataset_keys=("name", "digest", "context"),
)  # fmt: skip

CREATE: Form = {"experiment_id": TEXT, "user_id": TEXT, "run_name": TEXT, "start_time": INT, "tags": PAIRS}
BY_ID: Form = {"run_id": NEEDED}
UPDATE: Form = {"run_id": NEEDED, "status": Field("enum"), "end_time": INT, "run_name": TEXT}
SET_TAG: Form = {"run_id": NEEDED, "key": NEEDED, "value": SAID}
DELETE_TAG: Form = {"run_id": NEEDED, "key": NEEDED}
SEARCH: Form = {
    "experiment_ids": TEXTS, "filter": TEXT, "run_view_type": Field("enum"), "max_results": INT, "order_by": TEXTS,
    "page_token": TEXT,
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A run with all that MLflow shows of it."""

    row: RunRow
    experiment: str
    told: Told
    inputs: Sequence[ArtifactRow]

    @cached_property
    def params(self) -> dict[str, str]:
        """Its settings as texts."""
        if self.row.source.startswith(SOURCE):
            return self.told.texts
        return {
            key: value if isinstance(value, str) else _plain(value) for key, value in flatten(self.row.config).items()
        }

    @cached_property
    def tags(self) -> dict[str, str]:
        """Its tags; name and note are those that the run has now, whoever wrote them."""
        own = {key: text for key, text in self.row.labels.items() if not key.startswith(names.OURS)}
        if not self.row.source.startswith(SOURCE):
            own |= dict.fromkeys(self.row.tags, "")
            own.setdefault(_USER, self.row.user)
        if self.row.note or _NOTE in own:
            own[_NOTE] = self.row.note
        if self.row.parent:
            own.setdefault(_PARENT, self.row.parent)
        return own | {_NAME: self.row.name}

    @cached_property
    def info(self) -> dict[str, Any]:
        """What MLflow calls the info of a run."""
        row, said = self.row, catalog.noted(self.row)
        start = said.start_ms if said else _ms(row.started_at or row.created_at)
        end = said.end_ms if said and said.end_ms is not None else _ms(row.ended_at)
        status = _status(row, said)
        return {
            "run_id": row.id,
            "run_uuid": row.id,
            "run_name": row.name,
            "experiment_id": self.experiment,
            "user_id": (said.user if said else row.user) or "unknown",
            "status": status,
            **({"start_time": start} if start is not None else {}),
            **({"end_time": end} if end is not None and status not in _OPEN else {}),
            "artifact_uri": f"mlflow-artifacts:/{self.experiment}/{row.id}/artifacts",
            "lifecycle_stage": "deleted" if row.trashed else "active",
        }

    def values(self, entity: str, key: str) -> Sequence[Any]:
        """What a clause or an order asks for."""
        match entity:
            case "metrics":
                found = self.told.latest.get(ours(key))
                return [found[2]] if found else []
            case "params":
                return [self.params[key]] if key in self.params else []
            case "tags":
                return [self.tags[key]] if key in self.tags else []
            case "datasets":
                return [datasets.value(each, key) for each in self.inputs]
        return [self.info[key]] if key in self.info else []


def create(asked: Asked) -> dict[str, Any]:
    """A new run, in one of the project's experiments."""
    known = catalog.every(asked)
    experiment = catalog.of_id(asked, asked.get("experiment_id") or ids.DEFAULT).require_active()
    tags = {tag.get("key"): tag.get("value", "") for tag in asked.get("tags", ())}
    for index, (key, value) in enumerate(tags.items()):
        names.check_tag(key, value, f"tags[{index}].")
    name = _run_name(asked.get("run_name"), tags.get(_NAME))
    start_ms = check_ms(asked.get("start_time") or None, "start_time") or now_ms()
    user = asked.get("user_id") or tags.get(_USER) or "unknown"
    parent = tags.get(_PARENT, "")
    spec = RunSpec(
        id=new_run_id(),
        project=asked.project,
        name=shown(name),
        created_at=datetime.now(UTC),
        kind="external",
        source=SOURCE,
        experiment=experiment.ours,
        tags=tuple(sorted(tag_of(str(key), value) for key, value in tags.items() if is_own(key, value))),
        note=tags.get(_NOTE, ""),
        parent=parent if is_run_id(parent) else None,
        user=user,
        entry=tags.get(_ENTRY, ""),
        code=CodeState(commit=tags.get(_COMMIT) or None),
    )
    asked.client.announce([spec], into_queue=False)
    said = catalog.Noted(experiment=experiment.id, user=user, start_ms=start_ms)
    with asked.writing(spec.id) as pen:
        at_ns = time.time_ns()
        pen.write(Started(time_ns=start_ms * 1_000_000, host="", user=user, pid=0), stream=HOST)
        pen.write(Labelled(time_ns=at_ns, put={**tags, _NAME: name, NOTED: _encoded(said)}))
        pen.labels |= {**tags, NOTED: _encoded(said)}
    asked.note([spec.id])
    return {"run": document(asked, one(asked, spec.id, known))}


def get(asked: Asked) -> dict[str, Any]:
    """One run, deleted or not."""
    return {"run": document(asked, one(asked, asked.run_id, catalog.every(asked)))}


def update(asked: Asked) -> dict[str, Any]:
    """How it goes: running again, or ended in one of three ways; and its name."""
    run_id = asked.run_id
    status = one_of(asked.values, "status", STATUSES, "")
    end_ms = check_ms(asked.get("end_time"), "end_time")
    name = asked.get("run_name") or ""
    with asked.writing(run_id) as pen:
        said = _said(pen)
        now = msgspec.structs.replace(
            said, status=status or said.status, end_ms=end_ms if end_ms is not None else said.end_ms
        )
        if now != said or status:
            _change_state(pen, said, now, is_told=bool(status))
        if name:
            pen.write(Labelled(time_ns=time.time_ns(), put={_NAME: name}))
            pen.labels[_NAME] = name
    if name:
        asked.client.rename(run_id, shown(name))
    asked.note([run_id])
    return {"run_info": one(asked, run_id, catalog.every(asked)).info}


def delete(asked: Asked) -> dict[str, Any]:
    """Into the trash."""
    row = asked.row()
    if not row.trashed:
        asked.dialect.pens.forget(row.id)
        asked.client.trash([row.id])
        asked.note([row.id])
    return {}


def restore(asked: Asked) -> dict[str, Any]:
    """Back from the trash."""
    row = asked.row()
    if row.trashed:
        asked.client.restore([row.id])
        asked.note([row.id])
    return {}


def set_tag(asked: Asked) -> dict[str, Any]:
    """A tag, new or in place of the one before."""
    key, value = asked.values["key"], asked.get("value", "")
    names.check_tag(key, value)
    with asked.writing() as pen:
        put_tags(pen, {key: value})
    if key == _NAME and value:
        asked.client.rename(asked.run_id, shown(value))
    return {}


def delete_tag(asked: Asked) -> dict[str, Any]:
    """Take a tag away."""
    key = asked.values["key"]
    with asked.writing() as pen:
        if key not in pen.labels or key.startswith(names.OURS):
            raise MlflowError(f"No tag with name: {key[: names.KEY]} in run with id {asked.run_id}", MISSING)
        at_ns, value = time.time_ns(), pen.labels.pop(key)
        events: list[Event] = [Labelled(time_ns=at_ns, remove=(key,))]
        if is_own(key, value):
            events.append(Tagged(time_ns=at_ns, remove=(tag_of(str(key), value),)))
        if key == _NOTE:
            events.append(Noted(time_ns=at_ns, text=""))
        pen.write(*events)
    return {}


def search(asked: Asked) -> dict[str, Any]:
    """A page of runs."""
    limit = check_limit(asked.get("max_results"), default=1000, most=_MOST)
    view = one_of(asked.values, "run_view_type", ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"), "ACTIVE_ONLY")
    clauses = parse_filter(asked.get("filter"), _LANGUAGE)
    orders = parse_orders(asked.get("order_by", ()), _LANGUAGE)
    wanted = set(asked.get("experiment_ids", ()))
    trashed = {"ACTIVE_ONLY": False, "DELETED_ONLY": True}.get(view)
    found = _found(asked, catalog.rows_of(asked, wanted, catalog.every(asked), trashed=trashed))
    found.sort(key=lambda each: each.row.id)
    found.sort(key=lambda each: each.info.get("start_time", 0), reverse=True)
    ordered = sorted_by(matching(found, clauses, Found.values), orders, Found.values)
    question = [sorted(wanted), asked.get("filter"), asked.get("order_by"), view]
    listed, token = page(ordered, limit=limit, token=asked.get("page_token"), question=question)
    answer: dict[str, Any] = {"runs": [document(asked, each) for each in listed]} if listed else {}
    return answer | ({"next_page_token": token} if token else {})


# ---- for others ----


def one(asked: Asked, run_id: str, known: Mapping[str, catalog.Experiment]) -> Found:
    """A run as it is now.

    Raises:
        MlflowError: there is none of this id in the project.
    """
    row = asked.row(run_id)
    return _found(asked, [(row, catalog.experiment_of(row, known))])[0]


def document(asked: Asked, found: Found) -> dict[str, Any]:
    """As clients get it."""
    data: dict[str, Any] = {
        "metrics": [
            {"key": theirs(key), "value": number(value), "timestamp": time_ns // 1_000_000, "step": step}
            for key, (step, time_ns, value) in sorted(found.told.latest.items())
        ],
        "params": pairs(found.params),
        "tags": pairs(found.tags),
    }
    inputs: dict[str, Any] = {"dataset_inputs": [datasets.document(asked, each) for each in found.inputs]}
    model_inputs, outputs = models.links(asked, found.row.id)
    if model_inputs:
        inputs["model_inputs"] = model_inputs
    return {
        "info": found.info,
        "data": {name: listed for name, listed in data.items() if listed},
        "inputs": {name: listed for name, listed in inputs.items() if listed},
        "outputs": {"model_outputs": outputs} if outputs else {},
    }


def put_tags(pen: Pen, tags: Mapping[str, str]) -> None:
    """Write tags; what is said already is not said again."""
    fresh = {key: value for key, value in tags.items() if pen.labels.get(key) != value}
    if not fresh:
        return
    at_ns = time.time_ns()
    gone = [tag_of(key, old) for key in fresh if (old := pen.labels.get(key)) is not None and is_own(key, old)]
    new = [tag_of(str(key), value) for key, value in fresh.items() if is_own(key, value)]
    events: list[Event] = []
    put = dict(fresh)
    if is_run_id(fresh.get(_PARENT, "")):
        put[PARENT_LABEL] = fresh[_PARENT]
    events.append(Labelled(time_ns=at_ns, put=put))
    if gone or new:
        events.append(Tagged(time_ns=at_ns, add=tuple(new), remove=tuple(tag for tag in gone if tag not in new)))
    if _NOTE in fresh:
        events.append(Noted(time_ns=at_ns, text=fresh[_NOTE]))
    pen.write(*events)
    pen.labels |= put


def is_own(key: str | None, value: str) -> bool:
    """Whether a tag is one that a person gave, and short enough to be one of Runyard's tags, too."""
    return bool(key) and not str(key).startswith((_THEIRS, names.OURS)) and len(tag_of(str(key), value)) <= _LONGEST_TAG


def check_ms(moment: int | None, name: str) -> int | None:
    """A time in milliseconds since 1970 that nanoseconds can hold.

    Raises:
        MlflowError: it cannot be held.
    """
    if moment is not None and not 0 <= moment <= LARGEST_MS:
        raise invalid_value(name, moment, "A time is in milliseconds since 1970, up to the year 2262.")
    return moment


def shown(name: str) -> str:
    """A name as Runyard's runs may have it."""
    return "".join(each if each.isprintable() else " " for each in name).strip()[:300] or "unnamed"


# ---- how ----


def _found(asked: Asked, rows: Sequence[tuple[RunRow, str]]) -> list[Found]:
    run_ids = [row.id for row, _ in rows]
    told = asked.client.index.told(run_ids)
    inputs = datasets.of_runs(asked, run_ids)
    return [Found(row, number, told.get(row.id) or Told(), inputs.get(row.id, ())) for row, number in rows]


def _change_state(pen: Pen, before: catalog.Noted, now: catalog.Noted, *, is_told: bool) -> None:
    at_ms = now.end_ms if now.end_ms is not None else now_ms()
    if is_told and now.status in _OPEN:
        now = msgspec.structs.replace(now, end_ms=None)
        if before.status not in _OPEN:
            pen.write(Started(time_ns=time.time_ns(), host="", user=now.user, pid=0), stream=HOST)
    elif now.status not in _OPEN:
        now = msgspec.structs.replace(now, end_ms=at_ms)
        reason = "killed, as its client said" if now.status == "KILLED" else ""
        end = Ended(time_ns=at_ms * 1_000_000, state=str(_STATES[now.status]), reason=reason)
        pen.write(end, stream=HOST)
    said = _encoded(now)
    pen.write(Labelled(time_ns=time.time_ns(), put={NOTED: said}))
    pen.labels[NOTED] = said


def _said(pen: Pen) -> catalog.Noted:
    text = pen.labels.get(NOTED)
    return msgspec.json.decode(text, type=catalog.Noted) if text else catalog.Noted(experiment=ids.DEFAULT)


def _encoded(said: catalog.Noted) -> str:
    return msgspec.json.encode(said).decode()


def _status(row: RunRow, said: catalog.Noted | None) -> str:
    """What its client said, unless something else happened to it since, such as a silence of many hours."""
    own = _STATUSES.get(row.state, "FAILED")
    if said is None:
        return own
    is_known_better = said.status in _OPEN and row.state.is_ended
    return own if is_known_better else said.status


def _run_name(given: str | None, tagged: str | None) -> str:
    if given and tagged and given != tagged:
        raise MlflowError(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name='{given}', mlflow.runName='{tagged}')."
        )
    return given or tagged or moods.new_name()


def _plain(value: object) -> str:
    return str(value) if isinstance(value, bool | int | float) or value is None else msgspec.json.encode(value).decode()


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ns(moment) // 1_000_000
