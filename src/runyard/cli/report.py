"""`runyard report`: runs as one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.apps.evaluation import Costs
from runyard.apps.facts import Subject, facts_of
from runyard.apps.report import Options, build_report
from runyard.apps.words import Words, language
from runyard.cli import documents, formats, screen, showing, target
from runyard.client import Client
from runyard.client.runs import TrackedRun
from runyard.drafts import drafted
from runyard.errors import NotFound, UsageError


@dataclass(frozen=True, kw_only=True)
class Request:
    """A command line."""

    runs: tuple[str, ...]
    out: Path
    compare: str | None = None
    lang: str = "en"
    is_redacted: bool = False
    title: str = ""
    customer: str = ""
    costs: tuple[str, ...] = ()
    unit: str = ""
    positive: str | None = None
    threshold: float | None = None
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class Written:
    """A report that was written."""

    subjects: list[Subject]
    size_bytes: int
    pictures_left_out: int


def report(request: Request) -> None:
    """Write a report, and say what is in it."""
    written = write_report(request)
    if request.as_json:
        ids = [subject.facts.id for subject in written.subjects]
        documents.write({"file": str(request.out), "size_bytes": written.size_bytes, "runs": ids})
        return
    size = formats.size(written.size_bytes)
    screen.say(f"{screen.plain(request.out)}: {formats.plural(len(written.subjects), 'run')}, {size}")
    for subject in written.subjects:
        if subject.predictions is None:
            screen.remark(
                f"Run {subject.facts.id} has kept no predictions (run.log_predictions), so its part has no threshold "
                "and no errors."
            )
    if written.pictures_left_out:
        screen.remark(f"{formats.plural(written.pictures_left_out, 'picture')} left out, to keep the file small.")


def write_report(request: Request) -> Written:
    """Everything is checked before a run is read; the file appears whole or not at all."""
    options = Options(
        title=request.title,
        customer=request.customer,
        words=Words(language(request.lang)),
        costs=Costs.of(_costs(request.costs), request.unit),
        positive=request.positive,
        threshold=request.threshold,
        is_redacted=request.is_redacted,
    )
    if not request.out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {request.out.absolute().parent} to write {request.out.name} into.")
    with target.opened() as client:
        subjects = [subject_of(client, text) for text in request.runs]
        second = subject_of(client, request.compare) if request.compare else None
    if second and second.facts.id in {subject.facts.id for subject in subjects}:
        raise UsageError(f"--compare names run {second.facts.id}, which the report is about. Name another one.")
    made = build_report(subjects, options, second=second)
    data = made.html.encode()
    with drafted(request.out) as draft:
        draft.write_bytes(data)
    return Written(subjects=subjects, size_bytes=len(data), pictures_left_out=made.pictures_left_out)


def subject_of(client: Client, text: str) -> Subject:
    """A run with its answers, if it kept any."""
    row = showing.find_run(client, text)
    run = TrackedRun(client, row)
    goals = {key: str(goal) for key, goal in target.headline_metrics(client, [row]).items()}
    try:
        predictions = run.predictions()
    except NotFound:
        predictions = None
    return Subject(facts=facts_of(run, goals), predictions=predictions)


def _costs(texts: Sequence[str]) -> dict[str, float] | None:
    """`missed defect=120` as a name and a number."""
    if not texts:
        return None
    found = {}
    for text in texts:
        name, sign, amount = text.rpartition("=")
        try:
            found[name.strip()] = float(amount)
        except ValueError:
            sign = ""
        if not sign:
            raise UsageError(f"--cost says '{text}'. Write a name and a number: --cost 'missed defect=120'.")
    return found
