"""Logged models: what MLflow 3 keeps of a model besides its files.

They are entries of the project's ledger; the files belong to the run that made them (`files.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runyard.server.mlflow import catalog, ids, moods, names
from runyard.server.mlflow.asked import Asked, now_ms
from runyard.server.mlflow.errors import MISSING, MlflowError, missing_value
from runyard.server.mlflow.forms import INT, NEEDED, PAIRS, TEXT, TEXTS, Field, Form, number, one_of, pairs
from runyard.server.mlflow.pages import check_limit, page
from runyard.server.mlflow.pens import require
from runyard.server.mlflow.search import Language, Order, matching, parse_filter, sorted_by

_KIND = "model"
_INPUTS = "model-inputs"
_OUTPUTS = "model-outputs"
_STATUSES = ("LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")
_SHORT = "LOGGED_MODEL_"
_MOST = 100
_MOST_PARAMS = 1000
_LONGEST_NAME = 500
_LANGUAGE = Language(
    attributes={
        "name": "text", "model_id": "text", "model_type": "text", "status": "text", "source_run_id": "text",
        "experiment_id": "text", "creation_timestamp": "number", "last_updated_timestamp": "number",
    },
    aliases={"creation_time": "creation_timestamp", "creation_timestamp_ms": "creation_timestamp",
             "last_updated_timestamp_ms": "last_updated_timestamp", "run_id": "source_run_id"},
)  # fmt: skip

CREATE: Form = {
    "experiment_id": NEEDED, "name": TEXT, "model_type": TEXT, "source_run_id": TEXT, "params": PAIRS, "tags": PAIRS,
}  # fmt: skip
NOTHING: Form = {}
FINALIZE: Form = {"status": Field("enum", is_required=True)}
PARAMS: Form = {"params": PAIRS}
TAGS: Form = {"tags": PAIRS}
OUTPUTS: Form = {
    "run_id": NEEDED,
    "models": Field("list", is_required=True, of={"model_id": NEEDED, "step": Field("int", is_required=True)}),
}
SEARCH: Form = {
    "experiment_ids": TEXTS,
    "filter": TEXT,
    "datasets": Field("list", of={"dataset_name": NEEDED, "dataset_digest": TEXT}),
    "max_results": INT,
    "order_by": Field(
        "list",
        of={"field_name": NEEDED, "ascending": Field("bool"), "dataset_name": TEXT, "dataset_digest": TEXT},
    ),
    "page_token": TEXT,
}


@dataclass(frozen=True)
class Model:
    """A model and the points that are about it."""

    kept: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]

    def values(self, entity: str, key: str) -> Sequence[Any]:
        """What a clause or an order asks for."""
        match entity:
            case "metrics":
                return [_value(latest) for latest in _latest(self.metrics) if latest["key"] == key]
            case "params" | "tags":
                return [self.kept[entity][key]] if key in self.kept[entity] else []
        found = self.kept.get(
            {"creation_timestamp": "created_ms", "last_updated_timestamp": "updated_ms"}.get(key, key)
        )
        if key == "status":
            return [str(found), str(found).removeprefix(_SHORT)]
        return [] if found in (None, "") else [found]


def create(asked: Asked) -> dict[str, Any]:
    """A new model, whose files are still to come."""
    experiment = catalog.of_id(asked, asked.values["experiment_id"]).require_active()
    source = asked.get("source_run_id") or ""
    if source:
        require(asked.client, names.check_run_id(source), asked.project)
    model_id = ids.new_model()
    now = now_ms()
    kept = {
        "model_id": model_id,
        "experiment_id": experiment.id,
        "name": _checked_name(asked.get("name") or moods.new_name()),
        "model_type": asked.get("model_type") or "",
        "source_run_id": source,
        "status": _STATUSES[0],
        "created_ms": now,
        "updated_ms": now,
        "params": _params(asked),
        "tags": _tags(asked),
    }
    asked.ledger.put(_KIND, model_id, kept)
    return {"model": document(Model(kept, ()))}


def get(asked: Asked) -> dict[str, Any]:
    """One model."""
    return {"model": document(_model(asked))}


def finalize(asked: Asked) -> dict[str, Any]:
    """Its files are there, or will never be."""
    return {"model": document(_changed(asked, status=one_of(asked.values, "status", _STATUSES, "")))}


def delete(asked: Asked) -> dict[str, Any]:
    """Forget it."""
    with asked.ledger.changing() as ledger:
        ledger.put(_KIND, _model(asked).kept["model_id"], None)
    return {}


def log_params(asked: Asked) -> dict[str, Any]:
    """Add params; one that is there may come again with the same value."""
    new = _params(asked)
    known = _model(asked).kept["params"]
    for key, value in new.items():
        if known.get(key, value) != value:
            raise MlflowError(f"Changing param values is not allowed. Param with key='{key}' was already logged.")
    _changed(asked, params=known | new)
    return {}


def set_tags(asked: Asked) -> dict[str, Any]:
    """Add tags, or replace them."""
    return {"model": document(_changed(asked, tags=_model(asked).kept["tags"] | _tags(asked)))}


def delete_tag(asked: Asked) -> dict[str, Any]:
    """Take a tag away."""
    found, key = _model(asked), asked.names["key"]
    tags = dict(found.kept["tags"])
    if tags.pop(key, None) is None:
        raise MlflowError(f"No tag with name: {key[: names.KEY]} in model with id {found.kept['model_id']}", MISSING)
    _changed(asked, tags=tags)
    return {}


def search(asked: Asked) -> dict[str, Any]:
    """A page of models; the newest first unless told otherwise."""
    if not asked.get("experiment_ids"):
        raise missing_value("experiment_ids")
    limit = check_limit(asked.get("max_results"), default=_MOST, most=50_000)
    clauses = parse_filter(asked.get("filter"), _LANGUAGE)
    wanted = set(asked.get("experiment_ids"))
    data = [(each["dataset_name"], each.get("dataset_digest")) for each in asked.get("datasets", ())]
    items = [
        each for each in _every(asked).values() if each.kept["experiment_id"] in wanted and _is_on(each, data, clauses)
    ]
    items.sort(key=lambda each: str(each.kept["model_id"]))
    items.sort(key=lambda each: int(each.kept["created_ms"]), reverse=True)
    orders = [
        Order(*_LANGUAGE.resolve(each["field_name"]), each.get("ascending", True)) for each in asked.get("order_by", ())
    ]
    found = sorted_by(matching(items, clauses, Model.values), orders, Model.values)
    question = [sorted(wanted), asked.get("filter"), asked.get("order_by"), asked.get("datasets")]
    shown, token = page(found, limit=limit, token=asked.get("page_token"), question=question)
    answer: dict[str, Any] = {"models": [document(each) for each in shown]} if shown else {}
    return answer | ({"next_page_token": token} if token else {})


def log_outputs(asked: Asked) -> dict[str, Any]:
    """Models that a run made, and at which step."""
    run_id = asked.row().id
    with asked.writing(), asked.ledger.changing() as ledger:
        new = [{"model_id": each["model_id"], "step": each["step"]} for each in asked.values["models"]]
        known = ledger.get(_OUTPUTS, run_id) or []
        ledger.put(_OUTPUTS, run_id, [*known, *(each for each in new if each not in known)])
    return {}


def note_inputs(asked: Asked, run_id: str, model_ids: Sequence[str]) -> None:
    """Models that a run reads."""
    if not model_ids:
        return
    with asked.ledger.changing() as ledger:
        known = ledger.get(_INPUTS, run_id) or []
        ledger.put(_INPUTS, run_id, list(dict.fromkeys([*known, *model_ids])))


def links(asked: Asked, run_id: str) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """The models that a run read, and those that it made."""
    inputs = asked.ledger.get(_INPUTS, run_id) or []
    return [{"model_id": each} for each in inputs], list(asked.ledger.get(_OUTPUTS, run_id) or [])


def of_id(asked: Asked, model_id: str) -> Mapping[str, Any]:
    """What is kept of a model.

    Raises:
        MlflowError: there is none of this id.
    """
    kept: Mapping[str, Any] | None = asked.ledger.get(_KIND, model_id) if ids.is_model(model_id) else None
    if kept is None:
        raise MlflowError(f"Logged model with ID '{model_id[:100]}' not found.", MISSING)
    return kept


def artifact_uri(kept: Mapping[str, Any]) -> str:
    """Where its files are for clients."""
    return f"mlflow-artifacts:/{kept['experiment_id']}/models/{kept['model_id']}/artifacts"


def document(model: Model) -> dict[str, Any]:
    """As clients get it."""
    kept = model.kept
    metrics = [
        {"key": each["key"], "value": number(_value(each)), "timestamp": each["timestamp"], "step": each.get("step", 0)}
        | {name: each[name] for name in ("model_id", "dataset_name", "dataset_digest", "run_id") if each.get(name)}
        for each in _latest(model.metrics)
    ]
    data = {"params": pairs(kept["params"]), "metrics": metrics}
    return {
        "info": {
            "model_id": kept["model_id"],
            "experiment_id": kept["experiment_id"],
            "name": kept["name"],
            "creation_timestamp_ms": kept["created_ms"],
            "last_updated_timestamp_ms": kept["updated_ms"],
            "artifact_uri": artifact_uri(kept),
            "status": kept["status"],
            **{name: kept[name] for name in ("model_type", "source_run_id") if kept[name]},
            **({"tags": pairs(kept["tags"])} if kept["tags"] else {}),
        },
        "data": {name: listed for name, listed in data.items() if listed},
    }


# ---- how ----


def _model(asked: Asked) -> Model:
    kept = of_id(asked, asked.names["model_id"])
    return Model(kept, [each for each in _metrics(asked) if each.get("model_id") == kept["model_id"]])


def _every(asked: Asked) -> dict[str, Model]:
    by_model: dict[str, list[Mapping[str, Any]]] = {}
    for each in _metrics(asked):
        by_model.setdefault(each.get("model_id", ""), []).append(each)
    return {key: Model(kept, by_model.get(key, [])) for key, kept in asked.ledger.of_kind(_KIND).items()}


def _metrics(asked: Asked) -> Iterable[Mapping[str, Any]]:
    return asked.ledger.of_kind("metric").values()


def _changed(asked: Asked, **values: Any) -> Model:
    with asked.ledger.changing() as ledger:
        found = _model(asked)
        kept = {**found.kept, **values, "updated_ms": now_ms()}
        ledger.put(_KIND, kept["model_id"], kept)
    return Model(kept, found.metrics)


def _latest(metrics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of each key, run and data the point of the highest step."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for each in metrics:
        place = (each["key"], each["run_id"], each.get("dataset_name"), each.get("dataset_digest"))
        known = found.get(place)
        if known is None or _order(known) <= _order(each):
            found[place] = each
    return list(found.values())


def _order(metric: Mapping[str, Any]) -> tuple[int, int, float]:
    value = _value(metric)
    return metric.get("step", 0), metric["timestamp"], value if value == value else 0.0


def _value(metric: Mapping[str, Any]) -> float:
    return float(metric["value"])  # what JSON has no number for is kept as text


def _is_on(model: Model, data: Sequence[tuple[str, str | None]], clauses: Sequence[Any]) -> bool:
    """Whether a model was measured on one of the datasets, where metrics are asked for."""
    if not data or not any(clause.entity == "metrics" for clause in clauses):
        return True
    return any(
        each.get("dataset_name") == name and digest in (None, "", each.get("dataset_digest"))
        for each in model.metrics
        for name, digest in data
    )


def _params(asked: Asked) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, param in enumerate(asked.get("params", ())):
        if index >= _MOST_PARAMS:
            raise MlflowError(f"A model has at most {_MOST_PARAMS} params in one request.")
        names.check_param(param.get("key"), param.get("value", ""), f"params[{index}].")
        found[param["key"]] = param.get("value", "")
    return found


def _tags(asked: Asked) -> dict[str, str]:
    for index, tag in enumerate(asked.get("tags", ())):
        names.check_tag(tag.get("key"), tag.get("value", ""), f"tags[{index}].")
    return {tag["key"]: tag.get("value", "") for tag in asked.get("tags", ())}


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > _LONGEST_NAME or any(sign in name for sign in "/:.%\"'\\"):
        raise MlflowError(f"Invalid model name '{name[:200]}'. Names cannot contain '/', ':', '.', '%', or quotes.")
    return name
