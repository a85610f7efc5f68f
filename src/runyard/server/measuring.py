"""What the server counts about itself, as Prometheus reads it."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

_BORDERS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_Labels = tuple[tuple[str, str], ...]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meter:
    """Counts; any thread may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[_Labels] = Counter()
        self._durations: dict[str, list[int]] = {}  # template -> requests up to each border, and beyond
        self._seconds: dict[str, float] = {}
        self._delivered_bytes = 0
        self.started_at = time.time()

    def note_request(self, method: str, template: str, status: int, seconds: float) -> None:
        """A request was answered; streams of events count, but not how long they took."""
        labels = (("method", method), ("path", template), ("status", str(status)))
        with self._lock:
            self._requests[labels] += 1
            if not template.endswith("/events"):
                counts = self._durations.setdefault(template, [0] * (len(_BORDERS_S) + 1))
                counts[bisect_left(_BORDERS_S, seconds)] += 1
                self._seconds[template] = self._seconds.get(template, 0.0) + seconds

    def note_delivered(self, size_bytes: int) -> None:
        """Bytes of journals or artifacts have arrived and are safe."""
        with self._lock:
            self._delivered_bytes += size_bytes

    def lines(self) -> Iterable[str]:
        """What was counted so far, in Prometheus' text format."""
        with self._lock:
            requests, seconds = dict(self._requests), dict(self._seconds)
            durations = {template: list(counts) for template, counts in self._durations.items()}
            delivered = self._delivered_bytes
        yield from family("runyard_requests_total", "counter", "Requests that were answered.", requests)
        name = "runyard_request_seconds"
        yield from _head(name, "histogram", "Time from a request to the end of its answer, without /events.")
        for template, counts in sorted(durations.items()):
            total = 0
            for border, count in zip((*map(str, _BORDERS_S), "+Inf"), counts, strict=True):
                total += count
                yield _line(f"{name}_bucket", (("path", template), ("le", border)), total)
            yield _line(f"{name}_sum", (("path", template),), seconds[template])
            yield _line(f"{name}_count", (("path", template),), total)
        yield from family(
            "runyard_delivered_bytes_total", "counter", "Bytes of journals and artifacts that arrived.", {(): delivered}
        )
        yield from family(
            "runyard_started_seconds", "gauge", "When the server was started, since 1970.", {(): self.started_at}
        )


def family(name: str, kind: str, words: str, values: Mapping[_Labels, float]) -> Iterable[str]:
    """One metric with all its labels."""
    yield from _head(name, kind, words)
    for labels, value in sorted(values.items()):
        yield _line(name, labels, value)


def _head(name: str, kind: str, words: str) -> Iterable[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: _Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{shown}}} {value!r}" if shown else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
