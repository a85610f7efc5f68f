"""Checks of a training: it can learn, it does the same again, and it goes on after an interruption.

All of them call the project's `train(config, run)` as a run would, in a folder that is gone afterwards.
"""

import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from runyard.testing.rehearsal import Killed, Points, rehearse
from runyard.testing.values import agree, listed, number, output_of, plural, tolerance_for
from runyard.tracking import Run

Train = Callable[[Any, Run], object]  # Any: the project's own config

RTOL = 1e-4  # of two trainings on one machine; between machines they differ much more
ATOL = 1e-6

_GUESSING = 0.03  # how near to log(classes) a loss counts as guessing
_MOST_CLASSES = 1000


def assert_overfits(
    train: Train,
    config: BaseModel,
    *,
    data: str | Path | None = None,
    metric: str = "train/loss",
    to: float = 0.1,
    may_stay_in_eval: bool = False,
) -> None:
    """A training learns a handful of samples by heart: the first thing to try of a model that does not learn.

    Args:
        config: with enough epochs and a learning rate for it: `DEFAULT.replace({"epochs": 60})`.
        data: what `--data` would say, such as `tiny_data()`.
        metric: a loss that is logged.
        to: what its last value must not exceed.
        may_stay_in_eval: dropout and BatchNorm may be in evaluation mode while gradients are computed, as in
            fine-tuning with frozen statistics. (Only PyTorch has that.)
    """
    with rehearse(config, data=data) as rehearsal, _modes() as in_eval:
        train(config, rehearsal.run)
        points = rehearsal.points
    if metric not in points:
        raise AssertionError(
            f"overfit: the training never logged '{metric}'; it logged {listed(sorted(points)) or 'nothing'}."
        )
    losses = points[metric].values
    if in_eval and not may_stay_in_eval:
        raise AssertionError(
            f"overfit: {listed(in_eval)} computed gradients in evaluation mode only. model.train() is missing, or "
            "stands before an evaluation that calls model.eval() and is not undone. Frozen on purpose? Pass "
            "may_stay_in_eval=True."
        )
    if not losses[-1] <= to:
        way = f"{number(losses[0])} → {number(losses[-1])} in {plural(len(losses), 'step')}"
        raise AssertionError(
            f"overfit: {metric} {way}, wanted ≤ {to:g}. {_diagnosis([float(each) for each in losses])}"
        )


def assert_reproducible(
    produce: Callable[..., Any],
    config: BaseModel | None = None,
    *,
    data: str | Path | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Twice the same gives the same.

    With a config `produce` is a training, and every value that it logs is compared. Without, it is called without
    arguments and what it returns is compared, exactly: `assert_reproducible(lambda: list(make_loader(seed=0)))`.

    Args:
        rtol, atol: relative and absolute tolerance [training: 1e-4 and 1e-6; else 0].
    """
    if config is None:
        _compare_results(produce(), produce(), 0.0 if rtol is None else rtol, 0.0 if atol is None else atol)
        return
    found = []
    for _ in range(2):
        with rehearse(config, data=data) as rehearsal:
            produce(config, rehearsal.run)
            found.append(rehearsal.points)
    parted = _first_difference(found[0], found[1], RTOL if rtol is None else rtol, ATOL if atol is None else atol)
    if parted:
        raise AssertionError(
            f"reproducible: {parted}. Usual causes: a generator without the seed of the config (loader, augmentation, "
            "dropout, first weights), the order of files or of a set, several workers that share a generator, threads "
            "(try `with deterministic():`)."
        )


def assert_resumes(
    train: Train,
    config: BaseModel,
    *,
    data: str | Path | None = None,
    after: int | None = None,
    rtol: float = RTOL,
    atol: float = ATOL,
) -> None:
    """A training that was killed and started again ends like one that was not.

    It is killed in a call of `run.log`, without a chance to tidy up, as by a power cut. Then it is called again with
    the checkpoints that it left, and what it logs from there on is compared with an uninterrupted training.

    Args:
        config: so that a checkpoint is written before it is killed: `DEFAULT.replace({"checkpoint_every": 2})`.
        after: so many calls of `run.log` get through; a little more than half of them if left out.
    """
    with rehearse(config, data=data) as rehearsal:
        train(config, rehearsal.run)
        whole = rehearsal.points
    calls = max((len(points.steps) for points in whole.values()), default=0)
    if calls < 2:
        raise AssertionError(
            f"resume: the training logged {plural(calls, 'time')}; it takes two to kill it in between."
        )
    limit = calls // 2 + 1 if after is None else after
    if not 0 < limit < calls:
        raise AssertionError(f"resume: after={limit} kills nothing, since the training logs {plural(calls, 'time')}.")
    with tempfile.TemporaryDirectory(prefix="runyard-") as folder:
        _train_until_killed(train, config, data, Path(folder), limit)
        with rehearse(config, data=data, folder=folder) as rehearsal:
            left = sorted(path.name for path in rehearsal.run.checkpoint_dir.iterdir())
            train(config, rehearsal.run)
            resumed = rehearsal.points
    _require_resumed(whole, resumed, left, limit, rtol, atol)


def _train_until_killed(train: Train, config: BaseModel, data: str | Path | None, folder: Path, limit: int) -> None:
    try:
        with rehearse(config, data=data, folder=folder, log_calls=limit) as rehearsal:
            train(config, rehearsal.run)
    except Killed:
        pass


def _require_resumed(
    whole: Mapping[str, Points],
    resumed: Mapping[str, Points],
    left: list[str],
    limit: int,
    rtol: float,
    atol: float,
) -> None:
    if not left:
        raise AssertionError(
            f"resume: when the training was killed after {plural(limit, 'call')} of run.log, there was nothing in "
            "run.checkpoint_dir. Write checkpoints more often (checkpoint_every), write them there, or pass after=…."
        )
    for key, points in resumed.items():
        if key in whole and len(points.steps) and points.steps[0] <= whole[key].steps[0]:
            raise AssertionError(
                f"resume: {key} begins at step {points.steps[0]} again, although {listed(left)} was there. Is the "
                "checkpoint read, and the loop begun after its epoch?"
            )
    kept = {key: points.between(resumed[key]) for key, points in whole.items() if key in resumed}
    parted = _first_difference(kept, resumed, rtol, atol)
    if parted:
        raise AssertionError(
            f"resume: {parted}. Usual causes: the checkpoint lacks the optimizer's state (momentum), the schedule of "
            "the learning rate, a generator's state or the epoch, so that batches come in another order; or an epoch "
            "is done twice or left out."
        )
    short = [key for key, points in whole.items() if key in resumed and points.steps[-1] != resumed[key].steps[-1]]
    if short:
        key = short[0]
        raise AssertionError(
            f"resume: {key} ends at step {resumed[key].steps[-1]}, uninterrupted at {whole[key].steps[-1]}. Does the "
            "loop count epochs that were done before?"
        )


def _first_difference(one: Mapping[str, Points], other: Mapping[str, Points], rtol: float, atol: float) -> str:
    """Where two trainings part first, as the beginning of a sentence; empty if they do not."""
    lacking = sorted(one.keys() ^ other.keys())
    if lacking:
        return f"{lacking[0]} was logged in one of the two trainings only"
    tolerance = tolerance_for("float64", rtol, atol)
    found = []
    for key, points in one.items():
        again = other[key]
        if not np.array_equal(points.steps, again.steps):
            return f"{key} was logged at other steps: {_steps(points)} and {_steps(again)}"
        same = agree(again.values, points.values, tolerance)
        if not same.all():
            place = int((~same).argmax())
            found.append((int(points.steps[place]), key, float(points.values[place]), float(again.values[place])))
    if not found:
        return ""
    step, key, before, after = min(found)
    return f"{key} parts at step {step}: {before:.6g} and {after:.6g}"


def _steps(points: Points) -> str:
    return f"{len(points.steps)} from {points.steps[0]} to {points.steps[-1]}" if len(points.steps) else "none"


def _compare_results(one: Any, other: Any, rtol: float, atol: float) -> None:
    parts = [_parts(value) for value in (one, other)]
    if len(parts[0]) != len(parts[1]):
        raise AssertionError(
            f"reproducible: {len(parts[0]):,} parts the first time, {len(parts[1]):,} the second time."
        )
    for place, (before, after) in enumerate(zip(*parts, strict=True)):
        for name, array in output_of(before).arrays.items():
            again = output_of(after).arrays[name]
            if array.shape != again.shape or not agree(again, array, tolerance_for("", rtol, atol)).all():
                where = f"part {place}" if len(parts[0]) > 1 else "the result"
                raise AssertionError(
                    f"reproducible: {where}{f' ({name})' if name else ''} is another one the second time. Usual "
                    "causes: a generator without a seed (shuffle=True without generator=…), the order of files or of "
                    "a set, several workers that share a generator."
                )


def _parts(value: Any) -> list[Any]:
    """What came batch by batch, or the one result."""
    return value if isinstance(value, list) and value and not isinstance(value[0], int | float | str) else [value]


def _diagnosis(losses: list[float]) -> str:
    """What a curve that did not go down looks like."""
    bad = next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
    if bad is not None:
        return (
            f"It is {losses[bad]} from step {bad} on: a learning rate that is too high, log(0), or inputs that are NaN."
        )
    classes = round(math.exp(losses[0])) if losses[0] < math.log(_MOST_CLASSES) else 0
    if classes > 1:
        floor = math.log(1 + (classes - 1) / math.e)
        if abs(losses[-1] - floor) < _GUESSING * floor and losses[-1] < 0.97 * losses[0]:
            return (
                f"{number(floor)} is where cross-entropy ends for {classes} classes if softmax is applied twice: does "
                "the model return probabilities to a loss that takes logits?"
            )
    if losses[-1] > 0.999 * losses[0]:
        return (
            "It does not fall at all. Usual causes: the optimizer has other parameters than the model, detach() or "
            "no_grad() in the forward pass, a learning rate of 0, gradients that are never applied or always "
            "cleared first."
        )
    return (
        "Usual causes: a learning rate that is too small (or too few steps), labels shuffled against inputs, "
        "model.eval() in training, detach(), a model that is too small or regularised too much."
    )


@contextmanager
def _modes() -> Iterator[list[str]]:
    """Kinds of modules that computed gradients in evaluation mode only; filled when the block ends."""
    found: list[str] = []
    seen: dict[str, bool] = {}

    def look(module: Any, _inputs: Any) -> None:
        name = type(module).__name__
        if name.startswith(("Dropout", "BatchNorm")) and torch.is_grad_enabled() and getattr(module, "p", 1) > 0:
            seen[name] = seen.get(name, False) or module.training

    torch: Any = sys.modules.get("torch")
    hook = torch.nn.modules.module.register_module_forward_pre_hook(look) if torch is not None else None
    try:
        yield found
    finally:
        if hook is not None:
            hook.remove()
        found += sorted(name for name, was_training in seen.items() if not was_training)
