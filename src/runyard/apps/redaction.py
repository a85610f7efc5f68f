"""Leaving out what is nobody else's business: paths, and names of people and machines.

Fields that hold them are emptied. In all other texts (notes, settings, tags) whatever looks like a path, and the
names that are known, is replaced by `…`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from runyard.apps.facts import Facts, Subject
from runyard.tracking.predictions import Predictions

GONE = "…"

_PATH = re.compile(
    r"\b[a-z][a-z0-9+.-]*://\S+"  # an address
    r"|(?:\\\\|[A-Za-z]:[\\/])[^\s\"',;<>|]+"  # of Windows
    r"|(?<![\w.])~?/[^\s\"',;:<>|]+"  # absolute, or from home
    r"|(?<![\w/])(?:[\w.@-]+/){2,}[\w.@-]+"  # relative, two folders deep or more
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # a mail address
)
_SHORTEST_NAME = 3  # a shorter one would be found inside of everything
_COMMON = {"root", "user", "admin", "localhost"}  # tell nobody anything


def redacted(subject: Subject) -> Subject:
    """The same without paths, users and hosts."""
    facts = subject.facts
    names = {facts.user, facts.host, facts.host.partition(".")[0]}
    clean = _Cleaner(names)
    found = Facts(
        id=facts.id,
        name=clean(facts.name),
        project=facts.project,
        experiment=clean(facts.experiment),
        state=facts.state,
        created_at=facts.created_at,
        ended_at=facts.ended_at,
        duration_s=facts.duration_s,
        tags=tuple(clean(tag) for tag in facts.tags),
        data_versions={clean(key): version for key, version in facts.data_versions.items()},
        note=clean(facts.note),
        config={key: clean(value) for key, value in facts.config.items()},
        changed=facts.changed,
        metrics=facts.metrics,
        curves=facts.curves,
        code={key: value for key, value in facts.code.items() if key != "branch"},  # branches are named after people
        environment={key: clean(value) for key, value in facts.environment.items()},
        packages={name: clean(version) for name, version in facts.packages.items()},
    )
    predictions = _without_paths(subject.predictions, clean) if subject.predictions else None
    return replace(subject, facts=found, predictions=predictions)


class _Cleaner:
    """Replaces paths and known names in a text."""

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted({name for name in names if len(name) >= _SHORTEST_NAME and name not in _COMMON}, key=len)
        pattern = "|".join(re.escape(name) for name in reversed(known))
        self._names = re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE) if known else None

    def __call__(self, text: str) -> str:
        text = _PATH.sub(GONE, text)
        return self._names.sub(GONE, text) if self._names else text


def _without_paths(predictions: Predictions, clean: _Cleaner) -> Predictions:
    """Ids that are paths keep the name of the file, if that still tells the samples apart, else become numbers."""
    names = [clean(re.split(r"[/\\]", name)[-1]) for name in predictions.ids]
    if len(set(names)) < len(names):
        names = [f"#{number + 1}" for number in range(len(names))]
    labels = tuple(clean(label) for label in predictions.labels)
    features = {
        clean(name): np.array([clean(text) for text in values.tolist()]) if values.dtype.kind == "U" else values
        for name, values in predictions.features.items()
    }
    return replace(predictions, ids=tuple(names), paths=(), labels=labels, features=features)
