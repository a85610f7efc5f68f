"""Every endpoint of the dialect: its address below a project, what it takes, who may ask, what answers.

`ajax-api` is what MLflow's own page asks; the same is told there. What has no row here is answered as not found.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import compile_path

from runyard.server.mlflow import datasets, experiments, files, logging, metrics, models, runs
from runyard.server.mlflow.asked import Asked
from runyard.server.mlflow.files import Place
from runyard.server.mlflow.forms import Form

ROOT = "/mlflow/{project}"
VERSION = "3.12.0"  # whose dialect this is
LARGEST_BATCH_BYTES = 1_000_000
_LARGEST_INPUTS_BYTES = 48 << 20
_LARGEST_BYTES = 4 << 20

Handler = Callable[[Asked], "dict[str, Any] | Response"]
Destination = Callable[[Asked], Place]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One row.

    Attributes:
        path: below the project, with `{name}` for what varies.
        changes: whether it changes anything; None: whoever reaches the server may ask.
        destination: of an upload, which is read piece by piece: where the file goes.
        largest_bytes: of the body, unless it is a file.
    """

    method: str
    path: str
    form: Form
    answer: Handler
    changes: bool | None
    destination: Destination | None = None
    largest_bytes: int = _LARGEST_BYTES


def _core() -> Iterator[Endpoint]:
    rows: list[tuple[str, str, Form, Handler, bool]] = [
        ("POST", "experiments/create", experiments.CREATE, experiments.create, True),
        ("GET", "experiments/get", experiments.BY_ID, experiments.get, False),
        ("GET", "experiments/get-by-name", experiments.BY_NAME, experiments.get_by_name, False),
        ("POST", "experiments/search", experiments.SEARCH, experiments.search, False),
        ("GET", "experiments/search", experiments.SEARCH, experiments.search, False),
        ("POST", "experiments/update", experiments.UPDATE, experiments.update, True),
        ("POST", "experiments/delete", experiments.BY_ID, experiments.delete, True),
        ("POST", "experiments/restore", experiments.BY_ID, experiments.restore, True),
        ("POST", "experiments/set-experiment-tag", experiments.SET_TAG, experiments.set_tag, True),
        ("POST", "experiments/delete-experiment-tag", experiments.DELETE_TAG, experiments.delete_tag, True),
        ("POST", "experiments/search-datasets", datasets.SEARCH, datasets.search, False),
        ("POST", "runs/create", runs.CREATE, runs.create, True),
        ("GET", "runs/get", runs.BY_ID, runs.get, False),
        ("POST", "runs/update", runs.UPDATE, runs.update, True),
        ("POST", "runs/delete", runs.BY_ID, runs.delete, True),
        ("POST", "runs/restore", runs.BY_ID, runs.restore, True),
        ("POST", "runs/search", runs.SEARCH, runs.search, False),
        ("POST", "runs/log-metric", logging.METRIC, logging.log_metric, True),
        ("POST", "runs/log-parameter", logging.PARAMETER, logging.log_parameter, True),
        ("POST", "runs/log-batch", logging.BATCH, logging.log_batch, True),
        ("POST", "runs/log-model", logging.MODEL, logging.log_model, True),
        ("POST", "runs/set-tag", runs.SET_TAG, runs.set_tag, True),
        ("POST", "runs/delete-tag", runs.DELETE_TAG, runs.delete_tag, True),
        ("POST", "runs/log-inputs", datasets.LOG, datasets.log_inputs, True),
        ("POST", "runs/outputs", models.OUTPUTS, models.log_outputs, True),
        ("GET", "metrics/get-history", metrics.HISTORY, metrics.history, False),
        ("GET", "metrics/get-history-bulk", metrics.BULK, metrics.bulk, False),
        ("GET", "metrics/get-history-bulk-interval", metrics.INTERVAL, metrics.interval, False),
        ("GET", "artifacts/list", files.LIST, files.of_run, False),
        ("POST", "logged-models", models.CREATE, models.create, True),
        ("POST", "logged-models/search", models.SEARCH, models.search, False),
        ("GET", "logged-models/{model_id}", models.NOTHING, models.get, False),
        ("PATCH", "logged-models/{model_id}", models.FINALIZE, models.finalize, True),
        ("DELETE", "logged-models/{model_id}", models.NOTHING, models.delete, True),
        ("POST", "logged-models/{model_id}/params", models.PARAMS, models.log_params, True),
        ("PATCH", "logged-models/{model_id}/tags", models.TAGS, models.set_tags, True),
        ("DELETE", "logged-models/{model_id}/tags/{key:path}", models.NOTHING, models.delete_tag, True),
        ("GET", "logged-models/{model_id}/artifacts/directories", files.MODEL_LIST, files.of_model, False),
        ("GET", "logged-models/{model_id}/artifacts/files", files.MODEL_GET, files.get_of_model, False),
    ]
    for root in ("api", "ajax-api"):
        for method, path, form, answer, changes in rows:
            is_large = path == "runs/log-inputs"
            yield Endpoint(
                method=method,
                path=f"/{root}/2.0/mlflow/{path}",
                form=form,
                answer=answer,
                changes=changes,
                largest_bytes=_LARGEST_INPUTS_BYTES if is_large else _LARGEST_BYTES,
            )


def _proxy() -> Iterator[Endpoint]:
    for root in ("api", "ajax-api"):
        base = f"/{root}/2.0/mlflow-artifacts"
        tree = f"{base}/artifacts/{{path:path}}"
        rows: list[tuple[str, str, Form, Handler, bool, Destination | None]] = [
            ("GET", f"{base}/artifacts", files.PROXY_LIST, files.listing, False, None),
            ("GET", tree, files.NOTHING, files.download, False, None),
            ("PUT", tree, files.NOTHING, _nothing, True, _destination),
            ("DELETE", tree, files.NOTHING, files.delete, True, None),
            ("POST", f"{base}/mpu/{{step}}/{{path:path}}", files.NOTHING, files.not_here, True, None),
            ("GET", f"{base}/presigned/{{path:path}}", files.NOTHING, files.not_here, False, None),
        ]
        for method, path, form, answer, changes, destination in rows:
            yield Endpoint(method=method, path=path, form=form, answer=answer, changes=changes, destination=destination)


def _rest() -> Iterator[Endpoint]:
    for path in ("/get-artifact", "/ajax-api/2.0/mlflow/get-artifact"):
        yield Endpoint(method="GET", path=path, form=files.GET, answer=files.get_of_run, changes=False)
    for path in ("/model-versions/get-artifact", "/ajax-api/2.0/mlflow/model-versions/get-artifact"):
        yield Endpoint(method="GET", path=path, form=files.PROXY_LIST, answer=files.no_registry, changes=False)
    yield Endpoint(
        method="POST",
        path="/ajax-api/2.0/mlflow/upload-artifact",
        form=files.GET,
        answer=_nothing,
        changes=True,
        destination=files.of_upload,
    )
    yield Endpoint(method="GET", path="/", form={}, answer=_page, changes=None)
    yield Endpoint(method="GET", path="/health", form={}, answer=_health, changes=None)
    yield Endpoint(method="GET", path="/version", form={}, answer=_version, changes=None)


def _destination(asked: Asked) -> Place:
    return files.place_of(asked, asked.names["path"])


def _nothing(asked: Asked) -> dict[str, Any]:
    return {}


def _page(asked: Asked) -> Response:
    """To the dashboard; a browser keeps what stands behind #, and the dashboard knows runs as clients print them."""
    return RedirectResponse("/", 303)


def _health(asked: Asked) -> Response:
    return PlainTextResponse("OK")


def _version(asked: Asked) -> Response:
    return PlainTextResponse(VERSION)


ENDPOINTS: tuple[Endpoint, ...] = (*_core(), *_proxy(), *_rest())
_BY_PLACE: Mapping[tuple[str, str], Endpoint] = {
    (each.method, each.path): each for each in ENDPOINTS if "{" not in each.path
}
_PATTERNS: list[tuple[re.Pattern[str], Endpoint]] = [
    (compile_path(each.path)[0], each) for each in ENDPOINTS if "{" in each.path
]


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The row for an address below a project, and the variable parts of it."""
    exact = _BY_PLACE.get((method, path))
    if exact is not None:
        return exact, {}
    for pattern, endpoint in _PATTERNS:
        if endpoint.method == method and (found := pattern.match(path)):
            return endpoint, found.groupdict()
    return None


def methods(path: str) -> list[str]:
    """The methods that an address takes."""
    exact = {method for method, known in _BY_PLACE if known == path}
    return sorted(exact | {each.method for pattern, each in _PATTERNS if pattern.match(path)})
