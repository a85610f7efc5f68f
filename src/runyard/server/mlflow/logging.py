"""What a run logs: metrics, params and tags, one by one or many at once. A batch is checked whole before any write."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runyard.bridges.mlflow.keys import ours
from runyard.config.scalars import setting
from runyard.journal.events import Configured
from runyard.server.mlflow import names
from runyard.server.mlflow.asked import Asked
from runyard.server.mlflow.errors import MlflowError, invalid_value, missing_value
from runyard.server.mlflow.forms import INT, NEEDED, SAID, TEXT, Field, Form
from runyard.server.mlflow.pens import Pen, Row
from runyard.server.mlflow.runs import check_ms, put_tags, shown

_MOST_METRICS = 1000
_MOST_OTHERS = 100
_MOST = 1000
_MODEL_HISTORY = "mlflow.log-model.history"
_MODEL_FIELDS = frozenset({"artifact_path", "flavors", "utc_time_created", "run_id"})

_METRIC: Form = {
    "key": NEEDED,
    "value": Field("float", is_required=True),
    "timestamp": Field("int", is_required=True),
    "step": INT,
    "model_id": TEXT,
    "dataset_name": TEXT,
    "dataset_digest": TEXT,
}
_PAIR: Form = {"key": NEEDED, "value": SAID}
METRIC: Form = {"run_id": NEEDED, **_METRIC}
PARAMETER: Form = {"run_id": NEEDED, **_PAIR}
BATCH: Form = {
    "run_id": NEEDED,
    "metrics": Field("list", of=_METRIC),
    "params": Field("list", of=_PAIR),
    "tags": Field("list", of=_PAIR),
}
MODEL: Form = {"run_id": NEEDED, "model_json": NEEDED}


def log_metric(asked: Asked) -> dict[str, Any]:
    """One point."""
    metric = asked.values
    _check_metric(metric, "")
    with asked.writing() as pen:
        pen.write(rows=_rows([metric]))
    _keep_for_models(asked, [metric])
    return {}


def log_parameter(asked: Asked) -> dict[str, Any]:
    """One param; it may be written again with the same value."""
    names.check_param(asked.values["key"], asked.get("value", ""))
    with asked.writing() as pen:
        _put_params(pen, _new_params(pen, [asked.values]))
    return {}


def log_batch(asked: Asked) -> dict[str, Any]:
    """Metrics, params and tags, all or none."""
    metrics, params, tags = (asked.get(name, ()) for name in ("metrics", "params", "tags"))
    _check_counts(metrics, params, tags)
    for index, metric in enumerate(metrics):
        _check_metric(metric, f"metrics[{index}].")
    for index, param in enumerate(params):
        names.check_param(param["key"], param.get("value", ""), f"params[{index}].")
    for index, tag in enumerate(tags):
        names.check_tag(tag["key"], tag.get("value", ""), f"tags[{index}].")
    name = ""
    with asked.writing() as pen:
        new = _new_params(pen, params)
        _put_params(pen, new)
        put_tags(pen, {tag["key"]: tag.get("value", "") for tag in tags})
        name = next((tag.get("value", "") for tag in tags if tag["key"] == "mlflow.runName"), "")
        if metrics:
            pen.write(rows=_rows(metrics))
    if name:
        asked.client.rename(asked.run_id, shown(name))
    _keep_for_models(asked, metrics)
    return {}


def log_model(asked: Asked) -> dict[str, Any]:
    """What clients of MLflow 2 say of a model that they saved: kept in a tag, one after the other."""
    text = asked.values["model_json"]
    try:
        model = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise MlflowError(f"Malformed model info. \n {text[:500]} \n is not a valid JSON.") from None
    missing = _MODEL_FIELDS - model.keys()
    if missing:
        raise MlflowError(f"Model json is missing mandatory fields: {sorted(missing)}")
    with asked.writing() as pen:
        try:
            known = msgspec.json.decode(pen.labels.get(_MODEL_HISTORY, "[]"), type=list[Any])
        except msgspec.MsgspecError:  # somebody set the tag to something else
            known = []
        put_tags(pen, {_MODEL_HISTORY: msgspec.json.encode([*known, model]).decode()})
    return {}


def _check_metric(metric: Mapping[str, Any], place: str) -> None:
    key = names.check_key(metric["key"], f"{place}name", what="Metric name")
    if metric["timestamp"] < 0:
        raise invalid_value(
            f"{place}timestamp", metric["timestamp"], f"metric '{key}'. Timestamp must be a nonnegative long."
        )
    check_ms(metric["timestamp"], f"{place}timestamp")


def _check_counts(metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]) -> None:
    counts = (
        ("metrics", _MOST_METRICS, len(metrics)),
        ("params", _MOST_OTHERS, len(params)),
        ("tags", _MOST_OTHERS, len(tags)),
        ("metrics, params, and tags", _MOST, len(metrics) + len(params) + len(tags)),
    )
    for what, most, count in counts:
        if count > most:
            raise MlflowError(
                f"A batch logging request can contain at most {most} {what}. Got {count} {what}. Please split up "
                f"{what} across multiple requests and try again."
            )


def _rows(metrics: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Points as rows: neighbours of one step and one time that name each key once share a row."""
    rows: list[Row] = []
    keys: list[str] = []
    values: list[float] = []
    place: tuple[int, int] | None = None
    for metric in metrics:
        here = (metric.get("step", 0), metric["timestamp"] * 1_000_000)
        key = ours(metric["key"])
        if place is not None and (here != place or key in keys):
            rows.append((tuple(keys), *place, values))
            keys, values = [], []
        place = here
        keys.append(key)
        values.append(metric["value"])
    if place is not None:
        rows.append((tuple(keys), *place, values))
    return rows


def _new_params(pen: Pen, params: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Those that the run has not.

    Raises:
        MlflowError: one has another value already.
    """
    new: dict[str, str] = {}
    for param in params:
        key, value = param["key"], param.get("value", "")
        known = pen.texts.get(key, new.get(key))
        if known is not None and known != value:
            raise MlflowError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged with value='{known}' "
                f"for run ID='{pen.run_id}'. Attempted logging new value '{value[:200]}'."
            )
        if known is None:
            new[key] = value
    return new


def _put_params(pen: Pen, new: Mapping[str, str]) -> None:
    if new:
        values = {key: setting(text) for key, text in new.items()}
        pen.write(Configured(time_ns=time.time_ns(), values=values, texts=dict(new)))
        pen.texts |= new


def _keep_for_models(asked: Asked, metrics: Sequence[Mapping[str, Any]]) -> None:
    """Points that say which model or which data they are about."""
    about = [metric for metric in metrics if metric.get("model_id") or metric.get("dataset_name")]
    if not about:
        return
    if any(metric.get("dataset_digest") and not metric.get("dataset_name") for metric in about):
        raise missing_value("dataset_name")
    for metric in about:
        kept = {name: metric[name] for name in _METRIC if name in metric} | {"run_id": asked.run_id}
        if isinstance(kept["value"], float) and not math.isfinite(kept["value"]):
            kept["value"] = str(kept["value"])
        place = [asked.run_id, metric.get("model_id", ""), metric["key"], metric.get("step", 0), metric["timestamp"],
                 str(metric["value"]), metric.get("dataset_name", ""), metric.get("dataset_digest", "")]  # fmt: skip
        asked.ledger.put("metric", msgspec.json.encode(place).decode(), kept, durable=False)
