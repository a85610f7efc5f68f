"""What a command line means: which home, which project, which runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from runyard.client import Client, open_client
from runyard.errors import NotFound, ProjectNotFound, QueryError, UsageError
from runyard.index import RunRow
from runyard.index.groups import Aggregate
from runyard.index.query import compile_query
from runyard.project.project import Direction, Project, find_project, load_project

LAST = "last"

_BETTER_LOW = (
    "loss",
    "error",
    "err",
    "mse",
    "rmse",
    "mae",
    "perplexity",
    "nll",
    "wer",
    "cer",
    "fid",
    "time",
    "latency",
)
_OF_THE_HOST = ("sys/", "host/", "gpu/")  # prefixes of what supervisors measure


@contextmanager
def opened(*, database: str | None = None) -> Iterator[Client]:
    """The home, with an index that tells the truth as of now; `database` is the URL of its database."""
    client = open_client(database=database)
    try:
        client.refresh()
        yield client
    finally:
        client.close()


def project_here() -> Project | None:
    """The project that the current folder lies in, if any."""
    try:
        return find_project()
    except ProjectNotFound:
        return None


def chosen_project(name: str | None, *, all_projects: bool) -> str | None:
    """The project to list: the named one, else that of the current folder; None for all.

    Raises:
        UsageError: both a name and all were asked for.
    """
    if name is not None and all_projects:
        raise UsageError("--project and --all exclude each other.")
    if all_projects or name is not None:
        return name
    here = project_here()
    return here.name if here else None


def find_run(client: Client, text: str) -> RunRow:
    """The run that an id, the beginning of one, a name or `last` means.

    Raises:
        NotFound: none.
        UsageError: more than one.
    """
    if text != LAST:
        return client.index.get(client.index.resolve(text))
    project = chosen_project(None, all_projects=False)
    rows = client.index.find(None, project=project, sort="-created_at", limit=1)
    if not rows:
        raise NotFound(
            f"There is no run yet{f' in project {project}' if project else ''}. `python run.py train` makes one."
        )
    return rows[0]


def find_trashed(client: Client, text: str) -> RunRow:
    """The run of the trash that an id, the beginning of one, or a name means.

    Raises:
        NotFound: none.
        UsageError: more than one.
    """
    rows = client.index.find(None, trashed=True, limit=None)
    found = [row for row in rows if text and (row.id.startswith(text) or row.name == text)]
    if len(found) > 1:
        listed = ", ".join(f"{row.id} ({row.name})" for row in found[:8])
        raise UsageError(f"Several runs of the trash are meant by '{text}': {listed}. Give more of the id.")
    if not found:
        raise NotFound(f"There is no run '{text}' in the trash. `runyard trash` lists what is.")
    return found[0]


def checked_query(text: str | None) -> str | None:
    """The query as it is, if it can be understood.

    Raises:
        QueryError: it cannot; the message shows the place.
    """
    if text is None:
        return None
    try:
        compile_query(text)
    except QueryError as error:
        if "\n" in text:
            raise
        mark = " " * error.position + "^" * max(error.length, 1)
        shown = f"{error}\n    {text}\n    {mark}"
        raise QueryError(shown, position=error.position, length=error.length) from None
    return text


def find_runs(client: Client, texts: Sequence[str], *, where: str | None = None) -> list[RunRow]:
    """The named runs and those that a query finds, each once, in that order.

    Raises:
        UsageError: neither a run nor a query was given.
    """
    if not texts and where is None:
        raise UsageError("Name a run, or choose runs with --where. `runyard runs` lists them.")
    rows = [find_run(client, text) for text in texts]
    if where is not None:
        rows += client.index.find(checked_query(where), project=chosen_project(None, all_projects=False), limit=None)
    return list({row.id: row for row in rows}.values())


def declared_metrics(client: Client, rows: Sequence[RunRow]) -> Mapping[str, Direction]:
    """What the project of these runs is judged by, the most important metric first; empty if it does not say."""
    projects = {row.project for row in rows}
    if len(projects) != 1:
        return {}
    here = project_here()
    if here and here.name in projects:
        return here.metrics
    try:
        return load_project(Path(client.spec(rows[0].id).project_dir or "/nowhere")).metrics
    except (UsageError, OSError):  # moved, deleted, or of another machine: then it does not say
        return {}


def headline_metrics(client: Client, rows: Sequence[RunRow], *, most: int = 3) -> dict[str, Direction]:
    """The metrics to show for these runs (the declared ones, else those that most runs have) and what is better."""
    counts: dict[str, int] = {}
    for row in rows:
        for key in row.summary:
            counts[key] = counts.get(key, 0) + 1
    declared = {key: goal for key, goal in declared_metrics(client, rows).items() if key in counts}
    if declared:
        return declared
    own = [key for key in counts if not key.startswith(_OF_THE_HOST)]
    often = max((counts[key] for key in own), default=0) / 2
    common = sorted(own, key=lambda key: (counts[key] < often, _rank(key), -counts[key], key))
    return {key: direction_of(key) for key in common[:most]}


def direction_of(key: str) -> Direction:
    """Which way a metric is better, judged by its name alone: losses, errors and durations are better low."""
    words = key.lower().replace("/", " ").replace("_", " ").replace("-", " ").replace(".", " ").split()
    return Direction.MIN if any(word in _BETTER_LOW for word in words) else Direction.MAX


def aggregate_of(goal: Direction) -> Aggregate:
    """The number of a run that counts: its highest where high is good, else its lowest."""
    return "max" if goal is Direction.MAX else "min"


def guess(word: str, known: Sequence[str]) -> str:
    """`Did you mean 'x'? ` or nothing."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'? " if near else ""


def _rank(key: str) -> int:
    """What was measured on held-out data says more than what was trained on."""
    return next((i for i, word in enumerate(("test", "val", "eval")) if key.lower().startswith(word)), 3)
