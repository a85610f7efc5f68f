"""`run.py train`: make a plan, check all of it, then queue it or run it here."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer

from runyard import servers
from runyard.cli import screen
from runyard.client import Client, open_client
from runyard.client.submission import Sorted
from runyard.config import Plan, PlannedRun, expand, sweep_override
from runyard.config.durations import parse_duration_s
from runyard.config.experiment import load_experiment
from runyard.devices import Slot, discover
from runyard.errors import UsageError
from runyard.hosts import user_name
from runyard.index import RunRow
from runyard.project.code import read_code
from runyard.project.launch import Shared, estimate, own_command, specs_for
from runyard.project.project import Project, find_project
from runyard.project.submitting import compare, known_runs, queue
from runyard.records import Resources, RunSpec, RunState

_RETRY_WORDS = ("failed",)
_SAME_WORDS = ("code", "config")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of `train`, as typed."""

    folder: Path
    overrides: list[str]
    sweeps: list[tuple[str, list[str]]]
    config: Path | None
    grid: bool
    queue: bool
    each: bool
    dry: bool
    names: bool
    yes: bool
    max_runs: int | None
    retry: str | None
    same: str
    shuffle: int | None
    name: str | None
    experiment: str | None
    tags: tuple[str, ...]
    note: str
    data: Path | None
    gpus: str | None
    cpu: bool
    priority: int
    time: str | None
    retries: int | None
    inline: bool
    json: bool


@dataclass(frozen=True)
class Intent:
    """A plan and what was said around it."""

    project: Project
    plan: Plan
    experiment: str | None
    resources: Resources
    data: str | None


def train(request: Request) -> None:
    """Do what the command line asks. Nothing starts before all of it was checked."""
    _check_words(request)
    intent = _read_intent(request)
    if request.queue or request.dry:
        _queue(request, intent)
    else:
        _run_here(request, intent)


def _check_words(request: Request) -> None:
    if request.retry is not None and request.retry not in _RETRY_WORDS:
        raise UsageError(f"--retry {request.retry}: there is only --retry failed.")
    if request.same not in _SAME_WORDS:
        raise UsageError(f"--same {request.same}: write --same code (code and config, the default) or --same config.")
    if request.queue and (request.each or request.inline):
        raise UsageError("--queue leaves the runs to `run.py work`; --each and --inline run them here. Choose one.")
    if request.grid and request.config:
        raise UsageError("--grid takes the grid of src/config.py, --config one of a file. Choose one.")
    if request.retries is not None and request.retries < 0:
        raise UsageError(f"--retries {request.retries}: write 0 or more.")


def _read_intent(request: Request) -> Intent:
    project = find_project(request.folder)
    found = project.load_config()
    tokens = [*request.overrides, *(sweep_override(key, values) for key, values in request.sweeps)]
    limits: dict[str, Any] = {
        "command_line": tokens,
        "shuffle": request.shuffle,
        "yes": request.yes or request.dry,
        "max_runs": request.max_runs,
    }
    resources, experiment = Resources(), request.experiment
    if request.config:
        file = load_experiment(request.config, found.declared)
        plan = file.expand(**limits)
        resources, experiment = file.resources, experiment or (file.name if file.has_sweep else None)
    elif request.grid:
        if found.override is None:
            raise UsageError(f"{project.config_module.replace('.', '/')}.py declares no OVERRIDE, so there is no grid.")
        plan = expand(found.declared, found.override, **limits)
        experiment = experiment or "grid"
    else:
        plan = expand(found.declared, None, **limits)
    data = str(request.data.absolute()) if request.data else None
    for item in plan:
        _check_data(project, item, data, is_queued=request.queue)
    return Intent(project, plan, experiment, _with_options(resources, request), data)


def _check_data(project: Project, item: PlannedRun, data: str | None, *, is_queued: bool) -> None:
    """Refuse a run whose data are not here, unless machines of a team may have them."""
    try:
        project.check_data(item.config.model_dump(mode="json"), data)
    except UsageError as problem:
        if not (is_queued and servers.current()):
            raise
        screen.remark(f"note: {problem} Machines that have it will take the runs.")


def _with_options(resources: Resources, request: Request) -> Resources:
    if request.time:
        resources = msgspec.structs.replace(resources, time_limit_s=_duration_s(request.time))
    if request.cpu:
        resources = msgspec.structs.replace(resources, gpus=0)
    return resources


def _duration_s(text: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise UsageError(f"--time: {error}.") from None


def _shared(request: Request, intent: Intent, client: Client) -> Shared:
    code, skipped = read_code(intent.project, client.artifacts)
    for sentence in skipped:
        screen.remark(f"warning: {sentence}")
    return Shared(
        code=code,
        user=user_name(),
        is_queued=request.queue,
        experiment=intent.experiment,
        grid=intent.plan.id if len(intent.plan) > 1 else None,
        tags=request.tags,
        note=request.note,
        data=intent.data,
        resources=intent.resources,
        retries=request.retries,
        priority=request.priority,
        command=own_command(sys.argv),
    )


# ---- the queue ----


def _queue(request: Request, intent: Intent) -> None:
    if intent.project.has_contract:
        screen.remark("checking the data against their contract")
        intent.project.check_contract([item.config for item in intent.plan], intent.data)
    client = open_client()
    client.refresh()
    shared = _shared(request, intent, client)
    known = known_runs(client, intent.project, intent.data)
    code_id = None if request.same == "config" else shared.code.code_id
    found = compare(intent.plan, known, code_id=code_id, retry=request.retry == "failed")
    if not request.json:
        _show_plan(request, intent, found, known, n_slots=len(_slots(request)))
    if request.dry:
        if request.json:
            _show_json(intent.plan, found, [])
        return
    specs = queue(client, intent.project, intent.plan, found, shared, name=request.name)
    if request.json:
        _show_json(intent.plan, found, specs)
    elif found.todo:
        screen.say(f"{_runs(found.todo)} queued. `python run.py work` executes them; `python run.py queue` shows them.")
    else:
        screen.say("Nothing was queued: nothing is left to do.")


def _show_plan(request: Request, intent: Intent, found: Sorted, known: list[RunRow], *, n_slots: int) -> None:
    lines = intent.plan.preview_lines(
        header=f"{intent.project.name}  {intent.experiment or ''}".rstrip(),
        finished=len(found.finished),
        active=len(found.waiting),
        to_do=found.todo,
        estimate=estimate([row for row in known if row.state == "COMPLETED"], to_do=found.todo, slots=n_slots),
    )
    for line in lines:
        screen.say(screen.plain(line))
    if found.failed:
        screen.say(f"  {_runs(len(found.failed))} failed or stopped before; --retry failed tries them again")
    if request.names:
        for item in intent.plan:
            screen.say(f"  {item.id}  {screen.plain(item.name)}")
    if request.dry:
        screen.say(f"Nothing was queued. --queue instead of --dry queues {_runs(found.todo)}.")


def _show_json(plan: Plan, found: Sorted, specs: list[RunSpec]) -> None:
    answer = {
        "plan": plan.id,
        "runs": [{"name": item.name, "config_id": item.config_id, "group": item.group} for item in plan],
        "finished": len(found.finished),
        "active": len(found.waiting),
        "failed": len(found.failed),
        "to_do": found.todo,
        "queued": [spec.id for spec in specs] + list(found.retried.values()),
    }
    screen.say(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


# ---- here and now ----


def _run_here(request: Request, intent: Intent) -> None:
    if len(intent.plan) > 1 and not request.each:
        raise UsageError(
            f"{_runs(len(intent.plan))}. Add --each to run them one after the other, --queue to queue them, "
            "or --dry to see them."
        )
    client = open_client()
    client.refresh()
    shared = _shared(request, intent, client)
    failures = 0
    for item in intent.plan:
        state = _run_one(request, intent, item, client, shared)
        if state == "STOPPED":
            raise KeyboardInterrupt
        failures += state != "COMPLETED"
    client.close()
    if failures:
        raise typer.Exit(1)


def _run_one(request: Request, intent: Intent, item: PlannedRun, client: Client, shared: Shared) -> RunState:
    from runyard.cli.project import foreground  # it loads the supervisor, which a queued grid does not need

    (spec,) = specs_for(intent.project, [item], shared, name=request.name)
    data = intent.project.check_data(spec.config, spec.data)
    if request.inline:
        return foreground.run_inline(client, spec, data=data)
    taken = foreground.take_slots(
        client, _slots(request), n_gpus=spec.resources.gpus, what=f"{spec.name} of {spec.project}"
    )
    return foreground.run(client, spec, taken, data=data)


def _slots(request: Request) -> list[Slot]:
    return discover(parse_gpus(request.gpus), cpu=request.cpu)


def parse_gpus(text: str | None) -> list[int] | None:
    """`--gpus 0,1` as numbers.

    Raises:
        UsageError: it is no list of numbers.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--gpus {text}: write the numbers of GPUs, such as --gpus 0,1.") from None


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"
