"""Journals become searchable tables; tables answer queries, series and charts.

Series stand in `runyard.index.series`, which loads NumPy: most commands ask for runs only.
"""

from runyard.index.diff import config_diff, flatten
from runyard.index.groups import Group, Spread, group_runs
from runyard.index.index import Index
from runyard.index.rows import NOT_STARTED, ArtifactRow, MediaRow, MetricSummary, ProgressRow, RunRow
from runyard.index.scope import EVERYTHING, Scope

__all__ = [
    "EVERYTHING",
    "NOT_STARTED",
    "ArtifactRow",
    "Group",
    "Index",
    "MediaRow",
    "MetricSummary",
    "ProgressRow",
    "RunRow",
    "Scope",
    "Spread",
    "config_diff",
    "flatten",
    "group_runs",
]
