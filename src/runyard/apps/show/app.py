"""`App`: the pages of a project, put together by a few calls.

This module loads no Streamlit: `run` does, so that what a project imports at its top costs nothing elsewhere.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from runyard.apps.evaluation import Costs, Doubts, GroupBy, Order
from runyard.apps.evaluation.doubts import FILE as DOUBTS_FILE
from runyard.apps.show import starting
from runyard.apps.show.sources import BEST, HomeSource, PackSource, Source
from runyard.apps.show.stage import Inference, Settings
from runyard.apps.words import language
from runyard.errors import MissingExtra, UsageError

PAGES = ("try", "threshold", "errors", "compare", "report")


class App:
    """What a customer sees. Pages appear in the order of the calls that add them."""

    def __init__(
        self,
        title: str = "",
        *,
        customer: str = "",
        predict: Callable[[Any, list[Any]], Sequence[Any]] | None = None,
        load: Callable[[Path, str], Any] | None = None,
        read: Callable[[Path], Sequence[tuple[str, Any]]] | None = None,
        language: str = "en",
    ) -> None:
        """A page without any content yet.

        Args:
            title: the project's name if empty.
            predict: the project's `src.inference.predict`; `load` and `read` are those beside it if left out.
            language: "en" or "de"; whoever looks at the page can switch it.

        Raises:
            UsageError: nothing loads a model for `predict`.
        """
        self.settings = Settings(title=title, customer=customer)
        self.pages: list[str] = []
        self.default, self.second = BEST, ""
        self.language = language
        self.inference = _inference(predict, load, read)
        self.root = _root(predict)

    def models(self, default: str = BEST, compare: str = "") -> None:
        """Which runs are shown: ids, names, "best" or "last". `run.py explore --run … --compare …` goes first."""
        self.default, self.second = default, compare

    def page_try(self, samples: str | Path = "tests/data") -> None:
        """Upload files, or choose samples of a folder of the project: answer, time, and what the model saw."""
        self.settings.samples = self.root / samples
        self._add("try")

    def page_threshold(
        self,
        costs: Mapping[str, float] | None = None,
        unit: str = "",
        *,
        positive: str | None = None,
        share: float | None = None,
    ) -> None:
        """A threshold and what it costs.

        Args:
            costs: what a miss and a false alarm cost, in that order, by the customer's names for them.
            unit: "€ per 1000 parts": of the costs, and of what the pages speak.
            positive: the class that is looked for; without it the page asks, or takes the second of two.
            share: of it on the customer's line, 0 to 1; that of the evaluation if left out.

        Raises:
            UsageError: the costs make no sense.
        """
        self.settings.costs = Costs.of(costs, unit)
        self.settings.positive, self.settings.share = positive, share
        self._add("threshold")

    def page_errors(self, order: Order = "worst", group_by: GroupBy | None = "label", *, relabel: bool = True) -> None:
        """The errors with pictures; with `relabel` one can say that a label is wrong (labels-in-doubt.csv)."""
        self.settings.order, self.settings.group_by, self.settings.relabel = order, group_by, relabel
        self._add("errors")

    def page_compare(self) -> None:
        """Two models on the same samples."""
        self._add("compare")

    def page_report(self) -> None:
        """All of it as one file."""
        self._add("report")

    def run(self) -> None:
        """Show the page that is chosen; called by Streamlit, once for every click."""
        try:
            from runyard.apps.show import page
        except ImportError as problem:
            if not (problem.name or "").startswith("streamlit"):
                raise
            raise SystemExit(str(MissingExtra(extra="streamlit", purpose="The customer's page"))) from None
        page.show(self)

    @property
    def source(self) -> Source:
        """Where its runs come from."""
        pack = os.environ.get(starting.PACK)
        return PackSource(Path(pack)) if pack else HomeSource(root=self.root, cache=_model_cache())

    @property
    def doubts(self) -> Doubts:
        """The labels in doubt: a file of the project, or of the packed folder."""
        return Doubts(Path(os.environ.get(starting.PACK) or self.root) / DOUBTS_FILE)

    def chosen(self) -> tuple[str, str, str]:
        """The run to show, the one to compare with (empty for none) and the language's code."""
        asked = os.environ.get
        return (
            asked(starting.RUN) or self.default,
            asked(starting.SECOND) or self.second,
            language(asked(starting.LANGUAGE) or self.language).value,
        )

    def _add(self, page: str) -> None:
        if page not in self.pages:
            self.pages.append(page)


def _inference(predict: Any, load: Any, read: Any) -> Inference | None:
    """`predict` with its neighbours.

    Raises:
        UsageError: nothing loads a model.
    """
    if predict is None:
        return None
    beside = sys.modules.get(getattr(predict, "__module__", ""))
    load = load or getattr(beside, "load", None)
    if load is None:
        raise UsageError(
            f"App(predict={getattr(predict, '__name__', predict)}) needs load= as well: there is none beside it."
        )
    return Inference(load=load, predict=predict, read=read or getattr(beside, "read", None))


def _root(predict: Any) -> Path:
    """The project's folder: above src/inference.py, else the current one."""
    code = getattr(predict, "__code__", None)
    return Path(code.co_filename).absolute().parents[1] if code else Path.cwd()


@cache
def _model_cache() -> Path:
    """A folder for models that lives as long as this process."""
    folder = tempfile.mkdtemp(prefix="runyard-models-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
