"""The picture of a run below the cell that logs to it: drawn by us as SVG, put there by IPython's display messages.

No widget and no script, so it works in Jupyter's pages, in editors, and in a notebook that is executed by a program;
and what a notebook keeps of it is its last picture.
"""

from html import escape
from pathlib import Path
from time import monotonic
from uuid import uuid4

from runyard.drawing import Curve, chart, cleaned, escaped, number, paragraph
from runyard.tracking.notebook.cells import Shell
from runyard.tracking.notebook.points import Points

EVERY_S = 1.0
MOST_CHARTS = 6
_CURVES = 7
_MOST_SHARE = 0.05  # of the time may go into drawing: a slow page must not slow a training


class LiveChart:
    """Charts of all series of a run: those whose names end alike (train/loss, val/loss) share one."""

    def __init__(self, shell: Shell, *, title: str, journal: Path, link: str | None) -> None:
        self._shell = shell
        self._title = title
        self._points = Points(journal)
        self._link = link
        self._display_id = ""  # of the latest output
        self._is_elsewhere = True  # it stands below another cell than the one that runs
        self.next_at = 0.0  # monotonic seconds

    def begin(self) -> None:
        """Another cell runs: what is logged from now on is shown below that one."""
        self._is_elsewhere = True
        self.next_at = 0.0

    def draw(self, state: str) -> None:
        """Show all that was logged so far, and `state`, a word or two, below the cell that runs."""
        is_new = self._is_elsewhere
        if is_new:
            self._display_id = uuid4().hex
            self._is_elsewhere = False
        self._publish(state, is_new=is_new)

    def draw_again(self, state: str) -> None:
        """The same in the place of the latest picture, whichever cell that is below."""
        if self._display_id:
            self._publish(state, is_new=False)

    @property
    def is_shown(self) -> bool:
        """Whether there is a picture below the cell that runs."""
        return not self._is_elsewhere

    def _publish(self, state: str, *, is_new: bool) -> None:
        began = monotonic()
        self._points.read()
        data = {"text/html": self.html(state), "text/plain": self.text(state)}
        transient = {"display_id": self._display_id}
        self._shell.display_pub.publish(data=data, metadata={}, transient=transient, update=not is_new)
        now = monotonic()
        self.next_at = now + max(EVERY_S, (now - began) / _MOST_SHARE)

    def html(self, state: str) -> str:
        """The whole picture."""
        groups: dict[str, list[str]] = {}
        for key in self._points.names():
            groups.setdefault(key.rpartition("/")[2], []).append(key)
        charts = [
            chart(
                name,
                [Curve(_short(key, name), self._points.drawn(key)) for key in keys[:_CURVES]],
                left=len(keys[_CURVES:]),
                width=300,
                height=180,
            )
            for name, keys in list(groups.items())[:MOST_CHARTS]
        ]
        left = sum(len(keys) for keys in list(groups.values())[MOST_CHARTS:])
        shown = f' · <a href="{escape(self._link)}">dashboard</a>' if self._link else ""
        more = paragraph(f"… and {left:,} more series") if left else ""
        head = f"<div><strong>{escaped(self._title)}</strong> · {escaped(state)}{shown}</div>"
        return head + "".join(charts) + more

    def text(self, state: str) -> str:
        """The same where no HTML can be shown: the latest values."""
        keys = self._points.names()[: MOST_CHARTS * 2]
        latest = ", ".join(f"{cleaned(key)} {number(self._points.last(key))}" for key in keys)
        return cleaned(f"{self._title} · {state}") + (f": {latest}" if latest else "")


def _short(key: str, name: str) -> str:
    return key.removesuffix(name).rstrip("/") or key
