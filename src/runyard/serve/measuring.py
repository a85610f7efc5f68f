"""GET /metrics: counts and histograms in the OpenMetrics text format, which Prometheus and its kin read."""

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

LATENCIES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Histogram:
    """How many values were at most each bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        total = 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            total += count
            label = "+Inf" if bound is None else f"{float(bound):g}"
            yield f'{name}_bucket{{le="{label}"}} {total}'
        yield f"{name}_count {total}"
        yield f"{name}_sum {self._sum:.6g}"


class Measurements:
    """What a service has done since it started."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.latency_s = Histogram(LATENCIES_S)
        self.batch_size = Histogram(SIZES)
        self.model_s = Histogram(LATENCIES_S)
        self.in_flight = 0

    def text(
        self, *, about: Mapping[str, str], waiting: int, is_ready: bool, sums: Mapping[str, tuple[int, float]]
    ) -> str:
        """All of it, as OpenMetrics."""
        return "\n".join([*self._lines(about, waiting, is_ready, sums), "# EOF", ""])

    def _lines(
        self, about: Mapping[str, str], waiting: int, is_ready: bool, sums: Mapping[str, tuple[int, float]]
    ) -> Iterator[str]:
        yield from _head("runyard_model", "info", "The model that answers.")
        yield f"runyard_model_info{{{_labels(about)}}} 1"
        yield from _head("runyard_ready", "gauge", "1 if the model is loaded and gave the golden answers.")
        yield f"runyard_ready {int(is_ready)}"
        yield from _head("runyard_requests", "counter", "Requests by path and status.")
        for (path, status), count in sorted(self.requests.items()):
            yield f"runyard_requests_total{{{_labels({'path': path, 'status': str(status)})}}} {count}"
        yield from _head("runyard_request_seconds", "histogram", "From the first byte of a request to its answer.")
        yield from self.latency_s.lines("runyard_request_seconds")
        yield from _head("runyard_model_seconds", "histogram", "Time of the model for a batch.")
        yield from self.model_s.lines("runyard_model_seconds")
        yield from _head("runyard_batch_size", "histogram", "Inputs that went through the model together.")
        yield from self.batch_size.lines("runyard_batch_size")
        yield from _head("runyard_in_flight", "gauge", "Requests that are being answered.")
        yield f"runyard_in_flight {self.in_flight}"
        yield from _head("runyard_waiting", "gauge", "Inputs that wait for the model.")
        yield f"runyard_waiting {waiting}"
        yield from _head(
            "runyard_output", "summary", "Numbers that were answered: a mean that moves hints at other data."
        )
        for field, (count, total) in sorted(sums.items()):
            label = _labels({"field": field})
            yield f"runyard_output_count{{{label}}} {count}"
            yield f"runyard_output_sum{{{label}}} {total:.9g}"
        if (memory := gpu_memory_bytes()) is not None:
            yield from _head("runyard_gpu_memory_bytes", "gauge", "Memory of the GPU that this process holds.")
            yield f"runyard_gpu_memory_bytes {memory}"


def gpu_memory_bytes() -> int | None:
    """What PyTorch holds on the GPU; None without one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return int(torch.cuda.memory_reserved())


def _head(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield f"# HELP {name} {help_text}"


def _labels(values: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
