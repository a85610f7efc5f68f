"""What a run shows: texts, pictures, tables, distributions, curves, each at a step."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import time_ns
from typing import Any

from runyard.errors import UsageError
from runyard.journal.events import Media
from runyard.records import RunSpec
from runyard.tracking.complaints import caller
from runyard.tracking.recording import Recording
from runyard.tracking.values import check_name, check_step

Encoded = tuple[bytes, dict[str, Any]]  # the bytes of a medium, and what is known about them


class Showing(Recording):
    """Things to look at. One that cannot be shown costs a warning, never the training."""

    def __init__(self, folder: "str | Path", attempt: int, *, spec: RunSpec, rank: int = 0, config: Any = None) -> None:
        super().__init__(folder, attempt, spec=spec, rank=rank, config=config)
        self._media_steps: dict[str, int] = {}

    def log_text(self, key: str, text: str, *, step: int | None = None) -> None:
        """Record a text, e.g. generated samples."""
        self._media(key, step, "text", "text/plain", lambda: (str(text).encode("utf-8", "replace"), {}))

    def log_image(self, key: str, image: Any, *, step: int | None = None, caption: str = "") -> None:
        """Record an image.

        `image` is an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), a tensor of PyTorch of shape (H, W)
        or (C, H, W), or a PIL image; uint8, or float from 0 to 1.
        """

        def encode() -> Encoded:
            from runyard.tracking.media.image import encode_image  # late, as all below: it needs NumPy

            data, meta = encode_image(image)
            return data, {**meta, "caption": caption} if caption else meta

        self._media(key, step, "image", "image/png", encode)

    def log_audio(self, key: str, samples: Any, *, rate_hz: int, step: int | None = None, caption: str = "") -> None:
        """Record a sound of `rate_hz` samples a second: an array or a tensor of shape (n,) or (n, channels), int16 or
        float from -1 to 1."""

        def encode() -> Encoded:
            from runyard.tracking.media.audio import encode_audio

            data, meta = encode_audio(samples, rate_hz=rate_hz)
            return data, {**meta, "caption": caption} if caption else meta

        self._media(key, step, "audio", "audio/wav", encode)

    def log_table(self, key: str, table: Any, *, step: int | None = None) -> None:
        """Record a table: a list of dicts, a dict of lists, or a frame of pandas or polars; a million cells at most."""

        def encode() -> Encoded:
            from runyard.tracking.media.table import encode_table

            return encode_table(table)

        self._media(key, step, "table", "application/json", encode)

    def log_histogram(
        self,
        key: str,
        values: Any = None,
        *,
        step: int | None = None,
        bins: int = 64,
        counts: Any = None,
        edges: Any = None,
    ) -> None:
        """Record how values are distributed: an array or tensor of any shape, or `counts` with one more of `edges`."""

        def encode() -> Encoded:
            from runyard.tracking.media.histogram import histogram_from, histogram_of

            if (values is None) == (counts is None and edges is None):
                raise UsageError("log_histogram takes either values, or counts and edges.")
            return histogram_of(values, bins=bins) if values is not None else histogram_from(counts, edges)

        self._media(key, step, "histogram", "application/json", encode)

    def log_confusion_matrix(
        self,
        key: str,
        matrix: Any = None,
        *,
        targets: Any = None,
        predictions: Any = None,
        labels: Sequence[Any] | None = None,
        step: int | None = None,
    ) -> None:
        """Record a confusion matrix (rows: targets, columns: predictions), or `targets` and `predictions` to count."""

        def encode() -> Encoded:
            from runyard.tracking.media.confusion_matrix import encode_matrix, encode_predictions

            if (matrix is None) == (targets is None or predictions is None):
                raise UsageError("log_confusion_matrix takes either a matrix, or targets and predictions.")
            if matrix is not None:
                return encode_matrix(matrix, labels=labels)
            return encode_predictions(targets, predictions, labels=labels)

        self._media(key, step, "confusion_matrix", "application/json", encode)

    def log_curve(
        self, key: str, x: Any, y: Any, *, x_label: str = "", y_label: str = "", step: int | None = None
    ) -> None:
        """Record a curve that is no series over steps, such as ROC: arrays, tensors or lists of equal length."""

        def encode() -> Encoded:
            from runyard.tracking.media.curve import encode_curve

            return encode_curve(x, y, x_label=x_label, y_label=y_label)

        self._media(key, step, "curve", "application/json", encode)

    def log_figure(self, key: str, figure: Any, *, step: int | None = None, dpi: int = 120) -> None:
        """Record a figure of Matplotlib as PNG; it stays open, so close it where you made it."""

        def encode() -> Encoded:
            from runyard.tracking.media.figure import encode_figure

            return encode_figure(figure, dpi=dpi)

        self._media(key, step, "figure", "image/png", encode)

    def _media(self, key: str, step: int | None, kind: str, mime: str, encode: Callable[[], Encoded]) -> None:
        """Record what `encode` gives; without a step the series of this key goes on by one."""
        self._raise_stop()
        check_name(key)
        at = self._media_steps.get(key, -1) + 1 if step is None else check_step(step)
        try:
            data, meta = encode()
            if self._is_open():
                assert self._writer is not None  # _is_open said so
                media = Media(time_ns=time_ns(), key=key, step=at, kind=kind, mime=mime, data=data, meta=meta)
                self._writer.event(media)
                self._media_steps[key] = at
                self._settle()
        except Exception as problem:  # one of the three places of STYLE.md
            self._complaints.once(
                ("media", key), f"{caller()}: the {kind} {key!r} could not be logged: {problem} Training goes on"
            )
