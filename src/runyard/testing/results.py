"""Checks of results: a metric holds its level, and predictions are what they were."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runyard.contracts.conversion import AnyArray
from runyard.testing.values import agree, number, output_of, tolerance_for

RENEW_VARIABLE = "RUNYARD_RENEW_SNAPSHOTS"


def assert_metric(
    value: float | Callable[[], float],
    *,
    name: str = "the metric",
    at_least: float | None = None,
    at_most: float | None = None,
    baseline: float | None = None,
    tolerance: float = 0.0,
) -> None:
    """A metric on a fixed small set holds its level.

    Args:
        value: the metric, or a function that measures it.
        at_least, at_most: limits, both allowed.
        baseline: what was reached before. Without limits high is good; `at_most` alone turns that round.
        tolerance: how far the baseline may be missed. Training on another machine alone moves a metric by up to 0.02.
    """
    if at_least is None and at_most is None and baseline is None:
        raise TypeError("assert_metric needs at_least, at_most or a baseline.")
    found = float(value() if callable(value) else value)
    limits: list[tuple[str, float | None]] = [("at least", at_least), ("at most", at_most)]
    if baseline is not None:
        is_better_low = at_most is not None and at_least is None
        allowed = baseline + tolerance if is_better_low else baseline - tolerance
        limits.append(("at most" if is_better_low else "at least", allowed))
    for word, limit in limits:
        if limit is not None and not (found >= limit if word == "at least" else found <= limit):
            was = f", the baseline {number(baseline)} with a tolerance of {tolerance:g}" if baseline is not None else ""
            raise AssertionError(
                f"metric: {name} is {number(found)}; wanted is {word} {number(limit)}{was}. "
                "Did code, data or a package change? `runyard diff` shows what tells two runs apart."
            )


def assert_matches_snapshot(
    values: Any,
    path: str | Path,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    tolerances: Mapping[str, float] | None = None,
) -> None:
    """Values are what they were when the snapshot was taken.

    A snapshot that is not there is written, so that it can be committed; where the variable CI is set, that fails.

    Args:
        values: an array or tensor, a mapping or tuple of them, or a list of predictions with fields.
        path: a .npz file, or a .json file where people shall read the changes.
        rtol, atol: relative and absolute tolerance; texts and whole numbers must be equal.
        tolerances: by key, relative and absolute at once.
    """
    place = Path(path)
    if place.suffix not in (".npz", ".json"):
        raise ValueError(f"{place} is neither .npz nor .json.")
    found = {name or "values": array for name, array in output_of(values).arrays.items()}
    if os.environ.get(RENEW_VARIABLE):
        _write(place, found)
        return
    if not place.exists():
        if os.environ.get("CI"):
            raise AssertionError(f"snapshot: {place} is not there. {_how_to_renew()}")
        _write(place, found)
        return
    problems = list(_problems(_read(place), found, rtol, atol, tolerances or {}))
    if problems:
        told = "\n  ".join(problems[:10])
        raise AssertionError(f"snapshot: these are not the values of {place}.\n  {told}\n{_how_to_renew()}")


def _problems(
    before: Mapping[str, AnyArray],
    after: Mapping[str, AnyArray],
    rtol: float,
    atol: float,
    tolerances: Mapping[str, float],
) -> list[str]:
    problems = [f"{name} is not there any more" for name in before.keys() - after.keys()]
    problems += [f"{name} is new" for name in after.keys() - before.keys()]
    for name in [name for name in before if name in after]:
        old, new = before[name], after[name]
        if old.shape != new.shape:
            problems.append(f"{name} had the shape {old.shape}, and has {new.shape}")
            continue
        is_exact = new.dtype.kind not in "fc"
        relative, absolute = (tolerances[name],) * 2 if name in tolerances else (0.0, 0.0) if is_exact else (rtol, atol)
        same = np.atleast_1d(agree(new, old, tolerance_for("", relative, absolute)))
        if not same.all():
            place = np.unravel_index(int((~same).argmax()), same.shape)
            values = [np.atleast_1d(array)[place].item() for array in (old, new)]
            index = f"[{', '.join(str(int(each)) for each in place)}]"
            problems.append(
                f"{name}: {int((~same).sum()):,} of {same.size:,} values, the first at {index}: {values[0]!r} then, "
                f"{values[1]!r} now"
            )
    return sorted(problems)


def _how_to_renew() -> str:
    return f"If that is meant, renew the snapshot and commit it: {RENEW_VARIABLE}=1 python run.py test"


def _write(path: Path, values: Mapping[str, AnyArray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        text = json.dumps({name: array.tolist() for name, array in values.items()}, indent=1, sort_keys=True)
        path.write_text(text + "\n")
    else:
        np.savez_compressed(path, allow_pickle=False, **dict(values))


def _read(path: Path) -> dict[str, AnyArray]:
    if path.suffix == ".json":
        return {name: np.asarray(value) for name, value in json.loads(path.read_text()).items()}
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
