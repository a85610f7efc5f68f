"""Experiments: made, found, renamed, tagged, put away and brought back.

What a client gives as `artifact_location` is a label and nothing else: where files lie is decided here.
"""

import time
from dataclasses import replace
from typing import Any

from runyard.journal.events import Filed
from runyard.server.mlflow import ids, names
from runyard.server.mlflow.asked import Asked, now_ms
from runyard.server.mlflow.catalog import Experiment, every, keep, of_id, runs_of
from runyard.server.mlflow.errors import EXISTS, MISSING, MlflowError, invalid_value, too_long
from runyard.server.mlflow.forms import INT, NEEDED, PAIRS, SAID, TEXT, TEXTS, Field, Form, one_of, pairs
from runyard.server.mlflow.pages import check_limit, page
from runyard.server.mlflow.search import Language, matching, parse_filter, parse_orders, sorted_by

ARTIFACTS = "mlflow-artifacts:/"
VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")
_MOST = 50_000
_LONGEST_LOCATION = 2048
_LANGUAGE = Language(
    attributes={"name": "text", "creation_time": "number", "last_update_time": "number"},
    entities=frozenset({"attributes", "tags"}),
)
_ORDERS = Language(
    attributes={**_LANGUAGE.attributes, "experiment_id": "number"}, entities=frozenset({"attributes", "tags"})
)

CREATE: Form = {"name": NEEDED, "artifact_location": TEXT, "tags": PAIRS}
BY_ID: Form = {"experiment_id": NEEDED}
BY_NAME: Form = {"experiment_name": NEEDED}
UPDATE: Form = {"experiment_id": NEEDED, "new_name": NEEDED}
SET_TAG: Form = {"experiment_id": NEEDED, "key": NEEDED, "value": SAID}
DELETE_TAG: Form = {"experiment_id": NEEDED, "key": NEEDED}
SEARCH: Form = {
    "max_results": INT, "filter": TEXT, "order_by": TEXTS, "view_type": Field("enum"), "page_token": TEXT,
}  # fmt: skip


def create(asked: Asked) -> dict[str, Any]:
    """A new experiment."""
    name = names.check_experiment_name(asked.values["name"])
    location = asked.get("artifact_location", "")
    if "#" in location or ".." in location or len(location) > _LONGEST_LOCATION:
        raise invalid_value("artifact_location", location, "It is kept as a label; it may hold no '#' and no '..'.")
    tags = {tag.get("key"): tag.get("value", "") for tag in asked.get("tags", ())}
    for key, value in tags.items():
        _check_tag(key, value)
    with asked.ledger.changing():
        known = every(asked)
        _require_free(name, known)
        now = now_ms()
        made = Experiment(
            id=ids.next_experiment(known), name=name, location=location, tags=tags, created_ms=now, updated_ms=now
        )
        keep(asked, made)
    return {"experiment_id": made.id}


def get(asked: Asked) -> dict[str, Any]:
    """One by its id, deleted or not."""
    return {"experiment": document(of_id(asked, asked.values["experiment_id"]))}


def get_by_name(asked: Asked) -> dict[str, Any]:
    """One by its name, deleted or not; an active one wins."""
    name = asked.values["experiment_name"]
    found = next((each for each in every(asked).values() if each.name == name), None)
    if found is None:
        raise MlflowError(f"Could not find experiment with name '{name[: names.EXPERIMENT]}'", MISSING)
    return {"experiment": document(found)}


def search(asked: Asked) -> dict[str, Any]:
    """A page of them."""
    limit = check_limit(asked.get("max_results"), default=1000, most=_MOST)
    view = one_of(asked.values, "view_type", VIEWS, "ACTIVE_ONLY")
    clauses = parse_filter(asked.get("filter"), _LANGUAGE)
    orders = parse_orders(asked.get("order_by", ()), _ORDERS)
    items = [each for each in every(asked).values() if is_seen(view, is_deleted=each.is_deleted)]
    items.sort(key=lambda each: int(each.id), reverse=bool(orders))
    if not orders:
        items.sort(key=lambda each: each.created_ms, reverse=True)
    found = sorted_by(matching(items, clauses, _values), orders, _values)
    question = [asked.get("filter"), asked.get("order_by"), view]
    shown, token = page(found, limit=limit, token=asked.get("page_token"), question=question)
    answer: dict[str, Any] = {"experiments": [document(each) for each in shown]} if shown else {}
    return answer | ({"next_page_token": token} if token else {})


def update(asked: Asked) -> dict[str, Any]:
    """Another name, which its runs carry from then on."""
    name = names.check_experiment_name(asked.values["new_name"])
    with asked.ledger.changing():
        found = of_id(asked, asked.values["experiment_id"]).require_active()
        if name != found.name:
            _require_free(name, every(asked))
            runs = runs_of(asked, found, trashed=None)  # before the name that tells them changes
            keep(asked, replace(found, name=name, updated_ms=now_ms()))
            for run_id in runs:
                event = Filed(time_ns=time.time_ns(), experiment=name, by=asked.client.by)
                asked.client.edit(run_id, event, durable=False)
            asked.note(runs)
    return {}


def delete(asked: Asked) -> dict[str, Any]:
    """Put it away with its runs."""
    with asked.ledger.changing():
        found = of_id(asked, asked.values["experiment_id"]).require_active()
        runs = runs_of(asked, found, trashed=False)
        keep(asked, replace(found, is_deleted=True, updated_ms=now_ms()))
        for run_id in runs:
            asked.dialect.pens.forget(run_id)
        asked.client.trash(runs)
        asked.note(runs)
    return {}


def restore(asked: Asked) -> dict[str, Any]:
    """Bring it back with its runs."""
    with asked.ledger.changing():
        found = of_id(asked, asked.values["experiment_id"])
        if not found.is_deleted:
            raise MlflowError(f"The experiment {found.id} is active. The experiment ID must be in the 'deleted' state.")
        keep(asked, replace(found, is_deleted=False, updated_ms=now_ms()))
        runs = runs_of(asked, found, trashed=True)
        asked.client.restore(runs)
        asked.note(runs)
    return {}


def set_tag(asked: Asked) -> dict[str, Any]:
    """A tag, new or in place of the one before."""
    key, value = asked.values["key"], asked.get("value", "")
    _check_tag(key, value)
    with asked.ledger.changing():
        found = of_id(asked, asked.values["experiment_id"]).require_active()
        keep(asked, replace(found, tags=found.tags | {key: value}, updated_ms=now_ms()))
    return {}


def delete_tag(asked: Asked) -> dict[str, Any]:
    """Take a tag away."""
    key = asked.values["key"]
    with asked.ledger.changing():
        found = of_id(asked, asked.values["experiment_id"]).require_active()
        if key not in found.tags:
            raise MlflowError(f"No tag with name: {key[: names.KEY]} in experiment with id {found.id}", MISSING)
        tags = {name: value for name, value in found.tags.items() if name != key}
        keep(asked, replace(found, tags=tags, updated_ms=now_ms()))
    return {}


def document(found: Experiment) -> dict[str, Any]:
    """As clients get it."""
    return {
        "experiment_id": found.id,
        "name": found.name,
        "artifact_location": found.location or f"{ARTIFACTS}{found.id}",
        "lifecycle_stage": "deleted" if found.is_deleted else "active",
        "creation_time": found.created_ms,
        "last_update_time": found.updated_ms,
        **({"tags": pairs(found.tags)} if found.tags else {}),
    }


def is_seen(view: str, *, is_deleted: bool) -> bool:
    """Whether something shows in a view."""
    return view == "ALL" or is_deleted == (view == "DELETED_ONLY")


def _values(found: Experiment, entity: str, key: str) -> list[Any]:
    if entity == "tags":
        return [found.tags[key]] if key in found.tags else []
    match key:
        case "creation_time":
            return [found.created_ms]
        case "last_update_time":
            return [found.updated_ms]
        case "experiment_id":
            return [int(found.id)]
    return [found.name]


def _require_free(name: str, known: dict[str, Experiment]) -> None:
    for each in known.values():
        if each.name == name:
            hint = " and is deleted: restore it, or choose another name" if each.is_deleted else ""
            raise MlflowError(f"Experiment(name={name}) already exists{hint}.", EXISTS)


def _check_tag(key: str | None, value: str) -> None:
    names.check_key(key, "key", what="key")
    if len(value) > names.EXPERIMENT_TAG:
        raise too_long("value", names.EXPERIMENT_TAG)
