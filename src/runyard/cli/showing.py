"""Which run is to be shown."""

from runyard.cli import target
from runyard.client import Client
from runyard.errors import UsageError
from runyard.index import RunRow
from runyard.project.models import best_run

BEST = "best"


def find_run(client: Client, text: str) -> RunRow:
    """The run that an id, the beginning of one, a name, `last` or, within a project, `best` means.

    Raises:
        NotFound: none.
        UsageError: more than one, or `best` was asked for outside of a project.
    """
    if text != BEST:
        return target.find_run(client, text)
    project = target.project_here()
    if project is None:
        raise UsageError("'best' means the best run of a project, and this folder lies in none. Give the run's id.")
    return client.index.get(best_run(client, project, None))
