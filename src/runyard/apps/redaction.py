"""Leaving out what is nobody else's business: paths, and names of people and machines.

Fields that hold them are emptied. In all other texts (notes, settings, tags) whatever looks like a path, and the
names that are known, is replaced by `…`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
_TELLING = re.compile(  # in code, where most of the above is something else
    r"(?:\\\\|\b[A-Za-z]:[\\/])[\w.@-]+[\\/]|(?<![\w./<:-])/(?:[\w.@-]+/)+[\w.@-]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
_SHORTEST_NAME = 3  # a shorter one would be found inside of everything
_COMMON = {"root", "user", "admin", "localhost"}  # tell nobody anything


def redacted(subject: Subject) -> Subject:
    """The same without paths, users and hosts."""
    (found,) = redacted_together([subject])
    return found


def redacted_together(subjects: Sequence[Subject]) -> list[Subject]:
    """Several runs that are shown beside each other: the same sample is called the same in all of them."""
    clean = Cleaner.of(subjects)
    names = _sample_names([each.predictions for each in subjects if each.predictions], clean)
    return [_redacted(subject, clean, names) for subject in subjects]


def _redacted(subject: Subject, clean: "Cleaner", names: Mapping[str, str]) -> Subject:
    facts = subject.facts
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
        data_sizes={clean(key): size for key, size in facts.data_sizes.items()},
        note=clean(facts.note),
        config={key: clean(value) for key, value in facts.config.items()},
        changed=facts.changed,
        metrics=facts.metrics,
        curves=facts.curves,
        code={key: value for key, value in facts.code.items() if key != "branch"},  # branches are named after people
        environment={key: clean(value) for key, value in facts.environment.items()},
        packages={name: clean(version) for name, version in facts.packages.items()},
    )
    predictions = subject.predictions
    if predictions is not None:
        predictions = replace(
            predictions,
            ids=tuple(names[name] for name in predictions.ids),
            paths=(),
            labels=tuple(clean(label) for label in predictions.labels),
            features={clean(name): _cleaned(values, clean) for name, values in predictions.features.items()},
        )
    return replace(subject, facts=found, predictions=predictions)


class Cleaner:
    """Replaces paths and known names in a text."""

    @classmethod
    def of(cls, subjects: Iterable[Subject]) -> "Cleaner":
        """One that knows the users and machines of some runs."""
        facts = [subject.facts for subject in subjects]
        return cls(name for each in facts for name in (each.user, each.host, each.host.partition(".")[0]))

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted({name for name in names if len(name) >= _SHORTEST_NAME and name not in _COMMON}, key=len)
        pattern = "|".join(re.escape(name) for name in reversed(known))
        self._names = re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE) if known else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        text = _PATH.sub(GONE, text)
        return self._names.sub(GONE, text) if self._names else text

    def finds(self, code: str) -> bool:
        """Whether a line of code names a path of a machine, a mail address, or somebody who is known."""
        return bool(_TELLING.search(code) or (self._names and self._names.search(code)))


def _cleaned(values: NDArray[Any], clean: Cleaner) -> NDArray[Any]:
    """A column of features, its texts cleaned."""
    return np.array([clean(text) for text in values.tolist()]) if values.dtype.kind == "U" else values


def _sample_names(found: Iterable[Predictions], clean: Cleaner) -> dict[str, str]:
    """Ids that are paths keep the name of the file, if that still tells all samples apart, else become numbers."""
    ids = list(dict.fromkeys(name for predictions in found for name in predictions.ids))
    names = [clean(re.split(r"[/\\]", name)[-1]) for name in ids]
    if len(set(names)) < len(names):
        names = [f"#{number + 1}" for number in range(len(names))]
    return dict(zip(ids, names, strict=True))
