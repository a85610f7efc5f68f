"""`RunyardObserver`: one more line, and an experiment of Sacred is a run here.

    from runyard.bridges.sacred import RunyardObserver

    ex.observers.append(RunyardObserver())

Sacred keeps points in memory until its next heartbeat and loses them with the process. Here each is in the journal
when `log_scalar` returns. Nothing that goes wrong here reaches the experiment: Sacred would drop the observer for the
rest of the run at the first exception, or not start at all.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

from sacred.observers import RunObserver
from sacred.run import Run as SacredRun
from sacred.utils import SacredInterrupt

from runyard.bridges.sacred.names import OUTPUT_KEY, file_name, numbered, series_name, tags_in
from runyard.errors import StopRun
from runyard.tracking import Run, start_run
from runyard.tracking.complaints import say
from runyard.tracking.settings import plain
from runyard.tracking.start import RUN_DIR_VARIABLE

LARGEST_RESOURCE_BYTES = 64 << 20  # a data set that was opened is not copied; its path is told
LARGEST_TEXT_CHARS = 1 << 20  # of one record

_LAST = -100  # Sacred's id is given by the first observer that has one: those with a database of their own

_open: list[Run] = []  # of this process, outermost first: an experiment may run another one

P = ParamSpec("P")


@dataclass
class _Observed:
    """One run of Sacred and the run here that records it."""

    run: Run
    sacred: SacredRun | None
    sees_points: bool = False
    output_chars: int = 0
    info: str = ""
    names: dict[str, int] = field(default_factory=dict)


class StopAsked(SacredInterrupt):
    """Somebody asked the run to stop; Sacred tells its other observers INTERRUPTED."""

    STATUS = "INTERRUPTED"


def _harmless(method: Callable[P, None]) -> Callable[P, None]:
    """Whatever fails is told once on stderr, and nothing of it reaches the experiment."""

    @wraps(method)
    def call(*args: P.args, **named: P.kwargs) -> None:
        try:
            method(*args, **named)
        except Exception as problem:  # losing a record must not end an experiment
            observer = args[0]
            assert isinstance(observer, RunyardObserver)
            observer.complain(method.__name__, problem)

    return call


class RunyardObserver(RunObserver):
    """Records a run of Sacred as one of Runyard, watched by a supervisor of its own that tells its end truthfully.

    Config, sources, artifacts, resources of up to 64 MiB, `info`, the captured output and the result are kept; the
    points are written as they are logged. One observer may see many runs, one after the other or inside each other.
    """

    priority = _LAST

    def __init__(
        self,
        project: str | None = None,
        *,
        home: "str | Path | None" = None,
        name: str | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """Record into `project`, by default one with the experiment's name.

        Args:
            home: where runs are kept; RUNYARD_HOME or ~/.runyard if left out.
            name: of the runs; Sacred's id and command, or the time, if left out.
            tags: of the runs, besides those in `config.tags`.
        """
        self._project = project
        self._home = home
        self._name = name
        self._tags = tuple(tags)
        self._observed: list[_Observed] = []  # those that go on, outermost first
        self._told: set[str] = set()

    @property
    def run(self) -> Run | None:
        """The run that is recorded now, the innermost if there are several."""
        return self._observed[-1].run if self._observed else None

    # ---- what Sacred calls ----

    def queued_event(self, *_: Any, **__: Any) -> None:
        """A run that Sacred only queues is nobody's to execute, so it is told and left out."""
        say("Sacred's -q writes a run down that nothing executes, so it is not recorded; `run.py … --queue` queues one")

    def started_event(
        self,
        ex_info: Mapping[str, Any],
        command: str,
        host_info: Mapping[str, Any],
        start_time: Any,
        config: Mapping[str, Any],
        meta_info: Mapping[str, Any],
        _id: Any,
    ) -> str | None:
        """Start the run; its id, for Sacred, unless another observer has given one."""
        try:
            observed = _Observed(self._start(ex_info, command, config, meta_info, _id), _calling(self))
        except Exception as problem:  # an experiment must start, recorded or not
            self.complain("started_event", problem)
            return None
        self._observed.append(observed)
        _open.append(observed.run)
        try:
            self._follow(observed)
            _keep_sources(observed.run, ex_info)
        except Exception as problem:  # as above
            self.complain("started_event", problem)
        return observed.run.id

    @_harmless
    def log_metrics(self, metrics_by_name: Mapping[str, Mapping[str, Sequence[Any]]], info: Mapping[str, Any]) -> None:
        """Points by heartbeat: only where they could not be had as they were logged."""
        observed = self._current()
        if observed is None or observed.sees_points:
            return
        for name, series in metrics_by_name.items():
            for step, value in zip(series["steps"], series["values"], strict=True):
                self._point(observed.run, name, step, value)

    @_harmless
    def heartbeat_event(self, info: Mapping[str, Any], captured_out: str | None, beat_time: Any, result: Any) -> None:
        """What was printed since the last one, and `info` where it changed."""
        observed = self._current()
        if observed is not None:
            _tell_output(observed, captured_out or "")
            _tell_info(observed, info)

    @_harmless
    def completed_event(self, stop_time: Any, result: Any) -> None:
        """The command returned."""
        observed = self._current()
        if observed is None:
            return
        numbers = _numbers(result)
        if numbers:
            observed.run.log(numbers, step=0)
        elif result is not None:
            observed.run.log_text("result", _as_json(result)[:LARGEST_TEXT_CHARS])
        self._finish(observed, None)

    @_harmless
    def interrupted_event(self, interrupt_time: Any, status: str) -> None:
        """Ctrl-C, or an exception of Sacred's with a status of its own."""
        observed, problem = self._current(), sys.exc_info()[1]
        if observed is None:
            return
        _tell_rest(observed)
        if isinstance(problem, KeyboardInterrupt):
            self._finish(observed, problem)
        elif isinstance(problem, StopAsked):
            self._finish(observed, StopRun(str(problem)))
        else:
            self._finish(observed, StopRun(f"{status}: {problem}" if problem and str(problem) else str(status)))

    @_harmless
    def failed_event(self, fail_time: Any, fail_trace: Any) -> None:
        """The command raised."""
        observed, problem = self._current(), sys.exc_info()[1]
        if observed is not None:
            _tell_rest(observed)
            self._finish(observed, problem or RuntimeError("".join(fail_trace or ())[-LARGEST_TEXT_CHARS:]))

    @_harmless
    def resource_event(self, filename: str) -> None:
        """A file that the command opened."""
        observed = self._current()
        if observed is None:
            return
        path = Path(filename)
        if path.stat().st_size <= LARGEST_RESOURCE_BYTES:
            observed.run.log_artifact(path, _free_name(observed, f"resources/{path.name}"))
        else:
            observed.run.configure({"sacred": {"resources": {path.name.replace(".", "_"): str(path)}}})

    @_harmless
    def artifact_event(
        self,
        name: str,
        filename: str,
        metadata: Mapping[str, Any] | None = None,
        content_type: str | None = None,
    ) -> None:
        """A file that the command made."""
        observed = self._current()
        if observed is None:
            return
        kept = _free_name(observed, name)
        observed.run.log_artifact(filename, kept)
        if metadata:
            observed.run.log_text(f"metadata of {series_name(kept)}", _as_json(metadata)[:LARGEST_TEXT_CHARS])

    # ---- how ----

    def complain(self, place: str, problem: Exception) -> None:
        """Say once for each place that something of the run is not recorded."""
        if place not in self._told:
            self._told.add(place)
            say(f"something of this run of Sacred is not recorded ({place}: {type(problem).__name__}: {problem})")

    def _start(
        self,
        ex_info: Mapping[str, Any],
        command: str,
        config: Mapping[str, Any],
        meta: Mapping[str, Any],
        sacred_id: Any,
    ) -> Run:
        # nobody finishes the run around this one: it goes on afterwards
        around = next((run for run in reversed(_open) if not run.is_finished), None)
        experiment = series_name(str(ex_info.get("name") or "")) or "sacred"
        plain = json.loads(_as_json(config))
        name = self._name or (f"{experiment} {sacred_id} {command}" if sacred_id is not None else None)
        run = start_run(
            self._project or experiment,
            config=plain,
            name=name,
            tags=(*self._tags, *tags_in(plain)),
            home=self._home,
            parent=around,
        )
        about: dict[str, Any] = {"experiment": experiment, "command": command}
        about["named_configs"] = list(meta.get("named_configs") or ())
        if sacred_id is not None:
            about["id"] = sacred_id if isinstance(sacred_id, int) else str(sacred_id)
        run.configure((plain if _is_joined() else {}) | {"sacred": about})
        if meta.get("comment"):
            run.note(str(meta["comment"]))
        return run

    def _current(self) -> _Observed | None:
        """The run that the calling one is recorded as: an outer one beats while an inner one runs."""
        sacred = _calling(self)
        return next((each for each in reversed(self._observed) if each.sacred is sacred), None)

    def _follow(self, observed: _Observed) -> None:
        """Take each point as it enters the queue in which Sacred keeps it for the next heartbeat.

        Sacred tells its observers of points at heartbeats only. Where a future version has no such queue, that is
        when they come.
        """
        waiting = getattr(getattr(observed.sacred, "_metrics", None), "_logged_metrics", None)
        put = getattr(waiting, "put", None)
        if waiting is None or put is None:
            say("this version of Sacred shows points at its heartbeats only; those since the last one die with it")
            return

        def put_and_log(entry: Any, *args: Any, **named: Any) -> None:
            put(entry, *args, **named)
            if not observed.run.is_finished:
                self._point(observed.run, entry.name, entry.step, entry.value)

        waiting.put = put_and_log
        observed.sees_points = True

    def _point(self, run: Run, name: Any, step: Any, value: Any) -> None:
        try:
            run.log({series_name(str(name)): value}, step=step)
        except StopRun as asked:
            raise StopAsked(str(asked)) from None
        except Exception as problem:  # a name or a step that Sacred takes and no series has
            self.complain(f"the metric {str(name)[:100]!r}", problem)

    def _finish(self, observed: _Observed, problem: BaseException | None) -> None:
        self._observed.remove(observed)
        if observed.run in _open:
            _open.remove(observed.run)
        if not _is_joined() or _open:
            observed.run.finish(problem)


def _calling(observer: RunyardObserver) -> SacredRun | None:
    """The run that calls: Sacred gives its observers everything but that."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, SacredRun) and observer in found.observers:
            return found
        frame = frame.f_back
    return None


def _keep_sources(run: Run, ex_info: Mapping[str, Any]) -> None:
    base = str(ex_info.get("base_dir") or ".")
    for source in ex_info.get("sources") or ():
        path = os.path.join(base, str(source[0]))
        if os.path.isfile(path):
            run.log_artifact(path, f"sources/{file_name(str(source[0]))}")


def _tell_output(observed: _Observed, text: str) -> None:
    new = text[observed.output_chars :]
    observed.output_chars = max(observed.output_chars, len(text))
    for begin in range(0, len(new), LARGEST_TEXT_CHARS):
        observed.run.log_text(OUTPUT_KEY, new[begin : begin + LARGEST_TEXT_CHARS])


def _tell_info(observed: _Observed, info: Mapping[str, Any]) -> None:
    text = _as_json({key: value for key, value in info.items() if key != "metrics"})
    if info and text != observed.info:
        observed.info = text
        observed.run.log_text("info", text[:LARGEST_TEXT_CHARS])


def _tell_rest(observed: _Observed) -> None:
    """The output since the last heartbeat, which Sacred itself leaves out of a run that failed."""
    if observed.sacred is not None:
        last = getattr(getattr(observed.sacred, "_output_file", None), "final", None) or ""
        _tell_output(observed, (observed.sacred.captured_out or "") + last)
        _tell_info(observed, observed.sacred.info)


def _free_name(observed: _Observed, name: str) -> str:
    """The name of a file; another one of the same name gets a number."""
    kept = file_name(name)
    count = observed.names[kept] = observed.names.get(kept, 0) + 1
    return numbered(kept, count)


def _is_joined() -> bool:
    """Whether Runyard started this process: then it tells the end, and the run was there before the experiment."""
    return RUN_DIR_VARIABLE in os.environ


def _numbers(result: Any) -> dict[str, float]:
    if isinstance(result, Mapping):
        return {f"result/{key}": found for key, value in result.items() for found in _numbers(value).values()}
    item = getattr(result, "item", None)
    if callable(item) and getattr(result, "size", 0) == 1:
        result = item()
    return {"result": float(result)} if isinstance(result, int | float) else {}


def _as_json(value: Any) -> str:
    """JSON of whatever a config, info or result holds; what has no form there is told by its text."""
    return json.dumps(value, default=_plain, skipkeys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if callable(getattr(value, "tolist", None)):
        return value.tolist()  # whole, however long: a result is no setting
    return plain(value)
