"""What may be a key or a text, and how long."""

import posixpath
import re

from runyard.index.merge import OWN_LABELS
from runyard.server.mlflow.errors import MlflowError, invalid_value, missing_value, too_long

KEY = 250
PARAM = 6000
TAG = 8000
EXPERIMENT = 500
EXPERIMENT_TAG = 5000
DATASET = 500
DIGEST = 36
SOURCE = 65_535
SCHEMA = 1_048_575
PROFILE = 16_777_215
INPUT_TAG_KEY = 255
INPUT_TAG = 500
LONGEST_ID = 256

OURS = OWN_LABELS

_KEY = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")


def check_key(key: str | None, place: str, *, what: str, limit: int = KEY) -> str:
    """A key of a metric, a param or a tag.

    Raises:
        MlflowError: it holds other characters, would be another name as a path, or is too long.
    """
    if key is None:
        raise missing_value(place)
    if not _KEY.fullmatch(key):
        raise invalid_value(
            place,
            key,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) "
            "and slashes (/).",
        )
    plain = posixpath.normpath(key)
    if plain != key or plain == "." or plain.startswith(("..", "/")):
        raise invalid_value(place, key, f"Names must be clean relative paths. This one would be {plain!r} as a path.")
    if len(key) > limit:
        raise too_long(what, limit)
    return key


def check_tag(key: str | None, value: str, place: str = "") -> None:
    """A tag of a run.

    Raises:
        MlflowError: it cannot be one.
    """
    name = check_key(key, f"{place}key", what=f"{place}key")
    if len(value) > TAG:
        raise too_long(f"{place}value", TAG)
    if name.startswith(OURS):
        raise invalid_value(f"{place}key", name, f"Tags that begin with '{OURS}' are not for clients.")


def check_param(key: str | None, value: str, place: str = "") -> None:
    """A param of a run.

    Raises:
        MlflowError: it cannot be one.
    """
    check_key(key, f"{place}key", what="Param key")
    if len(value) > PARAM:
        raise too_long("Param value", PARAM)


def check_run_id(run_id: str) -> str:
    """An id as a client may send it; whether there is such a run is another question.

    Raises:
        MlflowError: it has another form.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise invalid_value("run_id", run_id[: LONGEST_ID + 1])
    return run_id


def check_experiment_name(name: str) -> str:
    """The name of an experiment.

    Raises:
        MlflowError: it is empty or too long.
    """
    if not name.strip():
        raise MlflowError(f"Invalid experiment name: '{name}'")
    if len(name) > EXPERIMENT:
        raise too_long("name", EXPERIMENT)
    return name
