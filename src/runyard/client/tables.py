"""What `Runs` answers with: dictionaries as they always were, which show themselves in a notebook and become tables."""

from collections.abc import Mapping
from typing import Any

from runyard.drawing import Curve, chart, paragraph, table
from runyard.index.frames import frame_of_series
from runyard.index.series import Series

_CURVES = 7  # as many as there are colours


class SeriesOfRuns(dict[str, Series]):
    """One metric of several runs, by run id.

    Attributes:
        key: the metric.
        names: the names of the runs, by id.
    """

    def __init__(self, found: Mapping[str, Series], *, key: str, names: Mapping[str, str]) -> None:
        super().__init__(found)
        self.key = key
        self.names = dict(names)

    def frame(self) -> Any:  # a DataFrame of a package that may be missing
        """A table with one row a point: `run`, `name`, `step`, `value` and `time` (aware, UTC), run after run.

        A pandas DataFrame if pandas is installed, else one of polars.

        Raises:
            MissingExtra: neither is installed.
        """
        return frame_of_series(self, self.names)

    def _repr_html_(self) -> str:
        if not self:
            return paragraph(f"No run has {self.key}.")
        first = list(self.items())[:_CURVES]
        curves = [Curve(self.names.get(run_id, run_id), each.drawn()) for run_id, each in first]
        return chart(self.key, curves, left=len(self) - len(first))


class ConfigDiff(dict[str, dict[str, Any]]):
    """The settings that differ between runs: dotted key -> run id -> value, None where a run lacks the key."""

    def __init__(self, found: Mapping[str, dict[str, Any]], *, names: Mapping[str, str]) -> None:
        super().__init__(found)
        self.names = dict(names)

    def _repr_html_(self) -> str:
        if not self:
            return paragraph("No settings differ.")
        keys = list(self)
        rows = [[self.names[run_id], *(self[key].get(run_id) for key in keys)] for run_id in list(self.names)[:20]]
        return table(["run", *keys], rows, left=len(self.names) - len(rows), what="runs")
