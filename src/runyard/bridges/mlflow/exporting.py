"""Bringing runs to an MLflow server, or to GitLab's experiments: each once, told by a tag of its own there.

GitLab answers less than MLflow does: no NaN and no infinity, short params, files in its package registry. What it
refuses is brought without what it cannot hold, and told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from runyard.bridges.mlflow.keys import theirs
from runyard.bridges.mlflow.model import FAILED, FINISHED, KILLED, RUNNING, SCHEDULED, Unreadable
from runyard.bridges.mlflow.rest import Api, put_artifact
from runyard.client import Client
from runyard.errors import NotFound
from runyard.index import RunRow
from runyard.index.diff import flatten
from runyard.index.rows import to_ns
from runyard.records import RunState

MARK = "runyard_run"  # the tag that tells which run of ours one of theirs is
_STATUS = {
    RunState.QUEUED: SCHEDULED,
    RunState.HELD: SCHEDULED,
    RunState.RUNNING: RUNNING,
    RunState.COMPLETED: FINISHED,
    RunState.STOPPED: KILLED,
}
_METRICS, _OTHERS = 1000, 100  # in one batch
_PAGE = 1000
_LONGEST_PARAM = 6000
_SHORT_PARAM = 250  # that of GitLab
_LONGEST_TAG = 5000
_LONGEST_KEY = 250
_KEPT = frozenset("/_-. :")


@dataclass
class Exported:
    """What became of the runs. `problems` holds a sentence for each thing that was not taken, with its place."""

    new: int = 0
    known: int = 0
    problems: list[str] = field(default_factory=list)


def bring(
    client: Client,
    uri: str,
    rows: Sequence[RunRow],
    *,
    experiment: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Bring runs to a server; those that are there already are left alone.

    Args:
        experiment: the experiment there; None: that of each run, or its project.
        progress: called with how many runs are done, and of how many.

    Raises:
        UsageError: the address is none.
        ServiceError, LoginNeeded, NotAllowed: the server cannot be reached, or lets nobody of this name in.
    """
    api = Api(uri)
    done = Exported()
    experiments: dict[str, tuple[str, dict[str, str]]] = {}
    try:
        for number, row in enumerate(rows, start=1):
            name = experiment or row.experiment or row.project
            try:
                if name not in experiments:
                    there = _experiment(api, name)
                    experiments[name] = there, _known(api, there)
                _bring_run(client, api, row, *experiments[name], done)
            except Unreadable as problem:
                done.problems.append(f"run {row.id} ({row.name}): {problem}")
            progress(number, len(rows))
    finally:
        api.close()
    return done


def _bring_run(client: Client, api: Api, row: RunRow, experiment: str, known: dict[str, str], done: Exported) -> None:
    if row.id in known:
        done.known += 1
        return
    start = _ms(row.started_at or row.created_at)
    made = api.post(
        "runs/create",
        {
            "experiment_id": experiment,
            "user_id": row.user,
            "run_name": row.name,
            "start_time": start,
            "tags": _pairs(_tags(row)),
        },
    )
    info = made["run"]["info"]
    run_id = str(info.get("run_id") or info.get("run_uuid"))
    _log_params(api, run_id, row, done)
    _log_metrics(api, run_id, row, _metrics(client, row), done)
    _bring_files(client, api, row, str(info.get("artifact_uri", "")), done)
    _log(api, run_id, "tags", [{"key": MARK, "value": row.id}], _OTHERS)  # last: one that broke off is brought again
    status = _STATUS.get(row.state, FAILED)
    end = {"end_time": _ms(row.ended_at)} if row.ended_at else {}
    api.post("runs/update", {"run_id": run_id, "status": status, **end})
    done.new += 1


def _experiment(api: Api, name: str) -> str:
    """The id of an experiment, which is made if it is missing."""
    try:
        return str(api.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
    except Unreadable:
        return str(api.post("experiments/create", {"name": name})["experiment_id"])


def _known(api: Api, experiment: str) -> dict[str, str]:
    """Our runs that are there, by our ids, with theirs."""
    found: dict[str, str] = {}
    token: str | None = None
    while True:
        question = {"experiment_ids": [experiment], "max_results": _PAGE} | ({"page_token": token} if token else {})
        answer = api.post("runs/search", question)
        for run in answer.get("runs", ()):
            for tag in run.get("data", {}).get("tags", ()):
                if tag.get("key") == MARK:
                    found[str(tag.get("value"))] = str(run["info"].get("run_id"))
        token = answer.get("next_page_token")
        if not token:
            return found


def _log(api: Api, run_id: str, what: str, entries: Sequence[dict[str, Any]], most: int) -> None:
    for begin in range(0, len(entries), most):
        api.post("runs/log-batch", {"run_id": run_id, what: entries[begin : begin + most]})


def _log_params(api: Api, run_id: str, row: RunRow, done: Exported) -> None:
    """All params; where the server refuses them together one by one, and those that are too long cut."""
    pairs = _pairs(_params(row))
    for begin in range(0, len(pairs), _OTHERS):
        batch = pairs[begin : begin + _OTHERS]
        try:
            _log(api, run_id, "params", batch, _OTHERS)
        except Unreadable:
            for pair in batch:
                _log_param(api, run_id, row, pair, done)


def _log_param(api: Api, run_id: str, row: RunRow, pair: dict[str, Any], done: Exported) -> None:
    try:
        _log(api, run_id, "params", [pair], 1)
    except Unreadable as problem:
        place = f"param {pair['key']} of run {row.id}"
        if len(pair["value"]) <= _SHORT_PARAM:
            done.problems.append(f"{place}: {problem}")
            return
        try:
            _log(api, run_id, "params", [pair | {"value": pair["value"][: _SHORT_PARAM - 1] + "…"}], 1)
            done.problems.append(f"{place}: only {_SHORT_PARAM} of its {len(pair['value']):,} characters fit.")
        except Unreadable as other:
            done.problems.append(f"{place}: {other}")


def _log_metrics(api: Api, run_id: str, row: RunRow, points: Sequence[dict[str, Any]], done: Exported) -> None:
    """All points; where the server refuses a batch those that are finite."""
    left_out: dict[str, int] = {}
    for begin in range(0, len(points), _METRICS):
        batch = points[begin : begin + _METRICS]
        try:
            _log(api, run_id, "metrics", batch, _METRICS)
        except Unreadable:
            finite = [point for point in batch if not isinstance(point["value"], str)]
            if len(finite) == len(batch):
                raise
            _log(api, run_id, "metrics", finite, _METRICS)
            for point in batch:
                if isinstance(point["value"], str):
                    left_out[point["key"]] = left_out.get(point["key"], 0) + 1
    done.problems += [
        f"metric {key} of run {row.id}: the server has no NaN and no infinity; {count:,} of its points were left out."
        for key, count in left_out.items()
    ]


def _metrics(client: Client, row: RunRow) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for key in client.index.keys(row.id):
        series = client.index.series(row.id, key)
        for step, value, time_ns in zip(
            series.steps.tolist(), series.values.tolist(), series.times.tolist(), strict=True
        ):
            shown = value if -1.8e308 < value < 1.8e308 else str(value).replace("inf", "Infinity").replace("nan", "NaN")
            points.append(
                {"key": _key(theirs(key)), "value": shown, "timestamp": max(time_ns // 1_000_000, 0), "step": step}
            )
    return points


def _bring_files(client: Client, api: Api, row: RunRow, root: str, done: Exported) -> None:
    for name, file in {each.name: each for each in client.index.artifacts(row.id)}.items():
        try:
            stored = put_artifact(api, root, name, client.artifacts.path(file.sha256).read_bytes())
        except (Unreadable, NotFound) as problem:
            done.problems.append(f"artifact {name} of run {row.id}: {problem}")
        else:
            if stored != name:
                done.problems.append(f"artifact {name} of run {row.id} is called {stored} there: it knows no folders.")


def _params(row: RunRow) -> dict[str, str]:
    found = {}
    for key, value in flatten(row.config).items():
        text = value if isinstance(value, str) else _plain(value)
        found[_key(key)] = text[:_LONGEST_PARAM]
    return found


def _tags(row: RunRow) -> dict[str, str]:
    named = {key: text for key, text in row.labels.items() if not key.startswith("runyard.")}
    plain = {_key(tag): "" for tag in row.tags if tag.partition("=")[0] not in named}
    more = {"mlflow.note.content": row.note, "mlflow.source.git.commit": row.code.commit or "", "mlflow.user": row.user}
    found = {**plain, **named, **{key: text for key, text in more.items() if text}}
    return {key: text[:_LONGEST_TAG] for key, text in found.items()}


def _key(text: str) -> str:
    """A name that MLflow takes: letters, digits and a few signs."""
    clean = "".join(each if each.isalnum() or each in _KEPT else "_" for each in text).strip("/. ")
    return clean[:_LONGEST_KEY] or "_"


def _plain(value: object) -> str:
    return str(value) if isinstance(value, bool | int | float) or value is None else msgspec.json.encode(value).decode()


def _pairs(entries: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in entries.items()]


def _ms(moment: datetime) -> int:
    return max(to_ns(moment) // 1_000_000, 0)
