"""`runyard reproduce`: run again what was run then, and say whether the same came out.

The code is the snapshot of then, the packages are those of then, the config is in run.json. Data are not kept: they are
looked for where the run found them, and their fingerprint says whether they are the same.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import typer

from runyard.cli import documents, formats, screen, showing, tables, target
from runyard.cli.choices import EnvironmentOf
from runyard.client import Client, differences
from runyard.client.reproducing import ABSOLUTE, RELATIVE, MetricComparison, Tolerance, compare_metrics
from runyard.client.runs import TrackedRun
from runyard.config.datapaths import DATA_OPTION, named_paths
from runyard.datafiles import fingerprint
from runyard.errors import NotFound, ProjectNotFound, RunyardError, ServiceError, UsageError
from runyard.hosts import host_name, user_name
from runyard.journal.events import Environment
from runyard.project.child import CODE_VARIABLE
from runyard.project.environments import build, differing
from runyard.project.launch import own_command
from runyard.project.project import load_project
from runyard.project.snapshot import materialise
from runyard.records import REPRODUCTION, RunSpec, RunState, new_run_id

DIFFERS = 1
CANNOT = 2

_REPRODUCIBLE = (RunState.COMPLETED, RunState.FAILED)
# What decides in which order numbers are added up; it is set as it was then.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG")
_OF_THE_MACHINE = ("host", "devices", "gpus", "driver", "cpu", "platform", "python", *(f"${name}" for name in _THREADS))


class CannotReproduce(RunyardError):
    """Something that the run needs is not there any more; the message is what stands behind "cannot, because"."""


@dataclass(frozen=True)
class Outcome:
    """What came out, and what may be behind a difference: one sentence each."""

    then: TrackedRun
    now: TrackedRun
    metrics: list[MetricComparison]
    else_different: list[str]
    end: str  # empty if both runs ended alike

    @property
    def is_reproduced(self) -> bool:
        return not self.end and all(metric.agrees for metric in self.metrics)


def reproduce(*, run: str, tolerance: list[str] | None, env: EnvironmentOf, data: Path | None, as_json: bool) -> None:
    """Run a run again and compare."""
    allowed = read_tolerance(tolerance or [])
    with target.opened() as client:
        then = TrackedRun(client, showing.find_run(client, run))
        try:
            now, python = _run_again(client, then, env, data)
        except CannotReproduce as problem:
            _say_cannot(then, str(problem), as_json=as_json)
            raise typer.Exit(CANNOT) from None
        client.refresh()
        outcome = _judge(client, then, now.reload(), allowed)
        if as_json:
            documents.write(_document(outcome, allowed, python))
        else:
            _show(outcome, allowed)
    if not outcome.is_reproduced:
        raise typer.Exit(DIFFERS)


def read_tolerance(texts: Sequence[str]) -> Tolerance:
    """`--tolerance 1e-4` for all metrics, `--tolerance val/loss=0.02` for one.

    Raises:
        UsageError: it is neither.
    """
    relative, absolute = RELATIVE, ABSOLUTE
    by_key: dict[str, float] = {}
    for text in texts:
        key, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise UsageError(
                f"--tolerance {text}: write a number for all metrics (1e-4, a relative difference), or one for a "
                "metric (val/loss=0.02)."
            )
        if key:
            by_key[key] = value
        else:
            relative, absolute = value, min(value, ABSOLUTE)
    return Tolerance(relative=relative, absolute=absolute, by_key=by_key)


# ---- running again ----


def _run_again(client: Client, then: TrackedRun, env: EnvironmentOf, data: Path | None) -> tuple[TrackedRun, str]:
    """The new run, ended, and the interpreter that it had."""
    _check(then)
    spec = then.spec
    code = _code(client, spec)
    folder = _folder(client, spec)
    _look_at_data(client, then, folder, data)
    environment = then.attempts[-1].environment if then.attempts else None
    python = _python(client, environment, env)
    again = msgspec.structs.replace(
        spec,
        id=new_run_id(),
        created_at=datetime.now(UTC),
        experiment=None,
        grid=None,
        tags=(REPRODUCTION,),
        note=f"reproduces {spec.id}",
        user=user_name(),
        host=host_name(),
        project_dir=str(folder),
        data=str(data.absolute()) if data else spec.data,
        reproduces=spec.id,
        command=own_command(["runyard", "reproduce", spec.id]),
        is_queued=False,
        priority=0,
    )
    variables = {CODE_VARIABLE: str(code), **_threads(environment)}
    if python:
        variables["PYTHONPATH"] = ""  # what is on it here is not part of that environment
    with _output_to_stderr():
        _execute(client, again, variables, python)
    client.refresh()
    return TrackedRun(client, client.index.get(again.id)), python


def _check(then: TrackedRun) -> None:
    if not then.state.is_ended:
        raise UsageError(f"Run {then.id} ({then.name}) is {then.state}. Reproduce it when it has ended.")
    if then.row.kind != "train":
        raise CannotReproduce(
            f"run {then.id} was started by a program of its own, not by run.py: nobody knows how to start it again."
        )
    if then.state not in _REPRODUCIBLE:
        raise CannotReproduce(
            f"run {then.id} ended {then.state} ({then.reason}), at a moment that will not come again."
        )
    if not then.code.snapshot:
        raise CannotReproduce(f"no snapshot was taken of the code of run {then.id}.")


def _code(client: Client, spec: RunSpec) -> Path:
    assert spec.code.snapshot is not None  # _check said so
    try:
        return materialise(spec.code.snapshot, client.artifacts, client.home)
    except (NotFound, ServiceError) as error:
        raise CannotReproduce(f"its code is not whole any more. {error}") from None


def _folder(client: Client, spec: RunSpec) -> Path:
    """Where the run works: the project's folder, if it still is that; else the project here; else one of its own."""
    here = target.project_here()
    for folder in (Path(spec.project_dir), here.root if here else None):
        if folder is not None and _is_of(folder, spec.project):
            return folder
    folder = client.home.work(spec.project)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_of(folder: Path, project: str) -> bool:
    try:
        return load_project(folder).name == project
    except (ProjectNotFound, UsageError, OSError):
        return False


def _look_at_data(client: Client, then: TrackedRun, folder: Path, data: Path | None) -> None:
    """Say before hours of training whether the data are what they were."""
    if data is not None and not data.exists():
        raise UsageError(f"There is no data at {data} (--data).")
    spec = then.spec
    named = named_paths(spec.config, spec.data_roots, str(data.absolute()) if data else spec.data)
    places = {key: folder / Path(path).expanduser() for key, path in named}
    for key, path in named:
        if not places[key].exists():
            where = "" if places[key] == Path(path) else f" (looked for in {folder})"
            raise CannotReproduce(
                f"its data are gone: {key} names {path}, which is not there{where}. "
                f"If they were moved, say where to: {DATA_OPTION} PATH."
            )
    if not places:
        return
    found = [differences.data_changed_since(client, then, fingerprint(key, path)) for key, path in places.items()]
    changes = [change for change in found if change is not None]
    for change in changes:
        screen.remark(f"data: {screen.plain(change.sentence())}")
    if not changes and differences.sources_of(then):
        screen.remark("data: as they were")


def _python(client: Client, then: Environment | None, env: EnvironmentOf) -> str:
    """The interpreter to run with; empty for this one."""
    from runyard.supervisor.environment import packages  # it loads what only executing needs

    if then is None:
        screen.remark("environment: what the run had was not recorded; this one is used")
        return ""
    present = packages()
    apart = differing(then.packages, present)
    version = then.python.split(" ")[0]
    if not apart and _is_this_python(version):
        screen.remark(f"environment: this one is equal ({formats.plural(len(present), 'package')})")
        return ""
    what = formats.plural(len(apart), "package") if apart else f"Python {version}"
    if env is EnvironmentOf.SAME:
        screen.remark(f"environment: this one is used, although {what} differ{'s' * (len(apart) < 2)}")
        return ""
    screen.remark(f"environment: {what} differ{'s' * (len(apart) < 2)} from then; the one of then is used")
    try:
        python = build(
            then.packages,
            present,
            python=version,
            folder=client.home.environments,
            say=lambda text: screen.remark(screen.plain(text)),
        )
    except ServiceError as error:
        raise CannotReproduce(f"its environment cannot be built. {error}") from None
    return str(python)


def _is_this_python(version: str) -> bool:
    import platform

    return version.split(".")[:2] == platform.python_version().split(".")[:2]


def _threads(then: Environment | None) -> dict[str, str]:
    return {name: then.variables[name] for name in _THREADS if name in then.variables} if then else {}


@contextmanager
def _output_to_stderr() -> Iterator[None]:
    """What the training prints is a remark here: stdout is for the answer."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _execute(client: Client, spec: RunSpec, variables: Mapping[str, str], python: str) -> RunState:
    from runyard.cli.project import foreground  # it loads the supervisor
    from runyard.devices import discover

    slots = discover(None, cpu=spec.resources.gpus == 0)
    what = f"{spec.name} of {spec.project}"
    taken = foreground.take_slots(client, slots, n_gpus=spec.resources.gpus, what=what)
    return foreground.run(client, spec, taken, variables=variables, python=python)


# ---- judging ----


def _judge(client: Client, then: TrackedRun, now: TrackedRun, tolerance: Tolerance) -> Outcome:
    return Outcome(
        then=then,
        now=now,
        metrics=compare_metrics(then, now, tolerance),
        else_different=_else_different(client, then, now),
        end=_end(then, now),
    )


def _end(then: TrackedRun, now: TrackedRun) -> str:
    if then.state == now.state and then.row.fingerprint == now.row.fingerprint:
        return ""
    ends = [f"{run.state}{f' ({run.reason})' if run.reason else ''}" for run in (then, now)]
    return f"it ended {ends[0]} then, and {ends[1]} now"


def _else_different(client: Client, then: TrackedRun, now: TrackedRun) -> list[str]:
    found = [f"data: {change.sentence()}" for change in differences.data_changes(client, then, now)]
    environments = [run.attempts[-1].environment for run in (then, now) if run.attempts]
    if len(environments) == 2 and environments[0] and environments[1]:
        apart = differing(environments[0].packages, environments[1].packages)
        found += [f"package {name}: {old or 'none'} then, {new or 'none'} now" for name, (old, new) in apart.items()]
    for name, by_run in differences.environment([then, now]).items():
        if name in _OF_THE_MACHINE:
            values = [str(by_run.get(run.id) or "none") for run in (then, now)]
            if name == "python":
                values = [value.split(" ")[0] for value in values]
            if values[0] != values[1]:
                found.append(f"{name.removeprefix('$')}: {values[0]} then, {values[1]} now")
    return found


# ---- telling ----


def _say_cannot(then: TrackedRun, why: str, *, as_json: bool) -> None:
    if as_json:
        documents.write({"verdict": "cannot", "run": then.id, "reproduction": None, "reason": why})
        return
    screen.say(f"{screen.paint('cannot', 'red')}, because {screen.plain(why)}")


def _show(outcome: Outcome, tolerance: Tolerance) -> None:
    then, now = outcome.then, outcome.now
    pair = f"run {then.id} ({screen.plain(then.name)}) again as {now.id}"
    if outcome.is_reproduced:
        exact = all(metric.is_exact for metric in outcome.metrics)
        how = "bit for bit" if exact else f"within a relative tolerance of {tolerance.relative:g}"
        count = formats.plural(len(outcome.metrics), "metric")
        verb = "agrees" if len(outcome.metrics) == 1 else "agree"
        what = f"{count} {verb} {how}" if outcome.metrics else "it ended alike, and logged no metric"
        screen.say(f"{screen.paint('reproduced', 'green')}: {what}, {pair}")
    else:
        screen.say(f"{screen.paint('differs', 'yellow')} by {screen.plain(_by(outcome))}, {pair}")
    apart = [metric for metric in outcome.metrics if not metric.agrees]
    if apart:
        _show_metrics(apart)
    if outcome.else_different:
        screen.say()
        screen.say(screen.paint("Also different:" if apart else "Different all the same:", "bold"))
        for sentence in outcome.else_different:
            screen.say(f"  {screen.plain(sentence)}")


def _by(outcome: Outcome) -> str:
    parts = [outcome.end] if outcome.end else []
    parts += [_metric_in_words(metric) for metric in outcome.metrics if not metric.agrees][:3]
    left = sum(not metric.agrees for metric in outcome.metrics) - 3
    return "; ".join(parts) + (f"; and {left} more" if left > 0 else "")


def _metric_in_words(metric: MetricComparison) -> str:
    if metric.now is None or metric.then is None:
        return f"{metric.key}, which only {'then' if metric.now is None else 'now'} was logged"
    if metric.largest_step is None:
        return f"{metric.key}, of which {metric.missing} points are missing and {metric.added} are new"
    share = f" ({100 * metric.relative:.3g} % at the end)" if metric.relative else ""
    return f"{formats.number(metric.largest)} in {metric.key}{share}, from step {metric.parts_at} on"


def _show_metrics(metrics: Sequence[MetricComparison]) -> None:
    titles = ("then", "now", "largest difference", "at step", "parts at step")
    rows = []
    for metric in metrics:
        values: list[float | int | None] = [metric.then, metric.now, metric.largest]
        texts = ["–" if value is None else formats.number(value) for value in values]
        texts += ["–" if step is None else f"{step:,}" for step in (metric.largest_step, metric.parts_at)]
        rows.append([tables.Cell(metric.key), *(tables.Cell(text) for text in texts)])
    screen.say()
    tables.show(
        [tables.Column("metric", is_vital=True), *(tables.Column(title, is_right=True) for title in titles)], rows
    )


def _document(outcome: Outcome, tolerance: Tolerance, python: str) -> dict[str, Any]:
    return {
        "verdict": "reproduced" if outcome.is_reproduced else "differs",
        "run": outcome.then.id,
        "reproduction": outcome.now.id,
        "reason": "" if outcome.is_reproduced else _by(outcome),
        "environment": python or "same",
        "tolerance": {
            "relative": tolerance.relative,
            "absolute": tolerance.absolute,
            "by_key": dict(tolerance.by_key),
        },
        "metrics": [
            {
                "key": metric.key,
                "agrees": metric.agrees,
                "is_exact": metric.is_exact,
                "then": metric.then,
                "now": metric.now,
                "largest": metric.largest,
                "largest_step": metric.largest_step,
                "parts_at": metric.parts_at,
                "missing": metric.missing,
                "added": metric.added,
                **{
                    f"{name}_then": getattr(outcome.then.summary.get(metric.key), name, None) for name in ("min", "max")
                },
                **{f"{name}_now": getattr(outcome.now.summary.get(metric.key), name, None) for name in ("min", "max")},
            }
            for metric in outcome.metrics
        ],
        "also_different": outcome.else_different,
    }
