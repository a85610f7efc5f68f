"""Journals become searchable tables; tables answer queries, series and charts."""

from runyard.index.diff import config_diff, flatten
from runyard.index.groups import Group, Spread, group_runs
from runyard.index.index import Index
from runyard.index.rows import NOT_STARTED, ArtifactRow, MediaRow, MetricSummary, ProgressRow, RunRow
from runyard.index.series import Buckets, Series

__all__ = [
    "NOT_STARTED",
    "ArtifactRow",
    "Buckets",
    "Group",
    "Index",
    "MediaRow",
    "MetricSummary",
    "ProgressRow",
    "RunRow",
    "Series",
    "Spread",
    "config_diff",
    "flatten",
    "group_runs",
]
