"""The calls of TensorBoard's SummaryWriter, for training scripts that have them already.

    from runyard import SummaryWriter      # instead of: from torch.utils.tensorboard import SummaryWriter

Nothing of TensorBoard is needed. What has no place in a run (graphs, embeddings, meshes, sound) is left out, and told
once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runyard.errors import UsageError
from runyard.tracking.complaints import Complaints, caller
from runyard.tracking.run import Run, current_run


class SummaryWriter:
    """Logs to a run what a script tells TensorBoard.

    `walltime` is taken and not used: points carry the time at which they are logged.
    """

    def __init__(
        self, log_dir: "str | Path | None" = None, comment: str = "", *_: Any, run: Run | None = None, **__: Any
    ):
        """Log to `run`, else to the run that is open, else to a new one that `close` ends.

        `log_dir` and `comment` name a new run; the other arguments of TensorBoard's own have no meaning here.
        """
        self._own: Run | None = None
        found = run or current_run()
        if found is None:
            from runyard.tracking.start import start_run  # late: a run that is there needs none

            name = " ".join(part for part in (str(log_dir or ""), comment) if part)
            found = self._own = start_run(name=name or None)
        self._run = found
        self._complaints = Complaints(lambda _: None)  # said on stderr alone

    @property
    def log_dir(self) -> str:
        """The run's folder."""
        return str(self._run.dir)

    def get_logdir(self) -> str:
        """The run's folder."""
        return self.log_dir

    # ---- numbers ----

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        *_: Any,
        **__: Any,
    ) -> None:
        """A number at a step."""
        self._run.log({tag: scalar_value}, step=global_step)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Several numbers at a step, as `main_tag/name`."""
        self._run.log({f"{main_tag}/{name}": value for name, value in tag_scalar_dict.items()}, step=global_step)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Settings for the run's config, and metrics that tell how good they are."""
        self._run.configure(hparam_dict)
        self._run.log(metric_dict, step=global_step)

    # ---- what one looks at ----

    def add_histogram(
        self, tag: str, values: Any, global_step: int | None = None, bins: Any = "tensorflow", *_: Any, **__: Any
    ) -> None:
        """How values are distributed; `bins` counts if it is a number."""
        count = bins if isinstance(bins, int) else 64
        self._run.log_histogram(tag, values, step=global_step, bins=count)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[float],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """A histogram that was counted already: the upper limits of its buckets, and how many are in each."""
        self._run.log_histogram(tag, counts=bucket_counts, edges=[min, *bucket_limits], step=global_step)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """An image; the letters of `dataformats` name its axes."""
        self._picture(tag, lambda: _as_hwc(img_tensor, dataformats), global_step)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Several images of one size, as one picture in rows of eight."""
        self._picture(tag, lambda: _tiled(img_tensor, dataformats), global_step)

    def _picture(self, tag: str, make: Callable[[], Any], step: int | None) -> None:
        try:
            image = make()
        except (UsageError, ValueError, TypeError) as problem:  # not worth the end of a training
            self._complaints.once(tag, f"{caller()}: the image {tag!r} was left out: {problem} Training goes on")
            return
        self._run.log_image(tag, image, step=step)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """A sound of shape (channels, n) or (n,), from -1 to 1."""
        samples = _on_host(snd_tensor)
        self._run.log_audio(tag, getattr(samples, "T", samples), rate_hz=sample_rate, step=global_step)

    def add_figure(
        self, tag: str, figure: Any, global_step: int | None = None, close: bool = True, walltime: float | None = None
    ) -> None:
        """A figure of Matplotlib, or a list of them, each by its number."""
        figures = list(figure) if isinstance(figure, Iterable) else [figure]
        for number, each in enumerate(figures):
            self._run.log_figure(f"{tag}/{number}" if len(figures) > 1 else tag, each, step=global_step)
            if close:
                import matplotlib.pyplot as plt  # late: only whoever draws has it

                plt.close(each)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """A text."""
        self._run.log_text(tag, text_string, step=global_step)

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Precision over recall at thresholds from 0 to 1; labels are 0 or 1, predictions from 0 to 1."""
        import numpy as np

        truth, scores = (np.asarray(_on_host(values), np.float64).ravel() for values in (labels, predictions))
        counts = np.ones_like(scores) if weights is None else np.asarray(_on_host(weights), np.float64).ravel()
        edges = np.linspace(0, 1, num_thresholds + 1)[:-1]
        chosen = scores[None, :] >= edges[:, None]  # (thresholds, samples)
        true_positives = (chosen * (truth * counts)).sum(axis=1)
        positives = (chosen * counts).sum(axis=1)
        precision = np.divide(true_positives, positives, out=np.ones_like(edges), where=positives > 0)
        recall = true_positives / max(float((truth * counts).sum()), 1e-12)
        self._run.log_curve(tag, recall[::-1], precision[::-1], x_label="recall", y_label="precision", step=global_step)

    # ---- what a run has no place for ----

    def __getattr__(self, name: str) -> Any:
        """The other calls of SummaryWriter: each is told once, and does nothing.

        Raises:
            AttributeError: it has no such call either.
        """
        if name not in _WITHOUT_A_PLACE:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def left_out(*_: Any, **__: Any) -> None:
            self._complaints.once(name, f"{caller()}: {name} has no place in a run and is left out; training goes on")

        return left_out

    # ---- the end ----

    def flush(self) -> None:
        """Nothing to do: what was logged is written."""

    def close(self) -> None:
        """End the run, if this made it."""
        if self._own is not None:
            self._own.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, exception: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.finish(exception)


_WITHOUT_A_PLACE = {
    "add_custom_scalars",
    "add_custom_scalars_marginchart",
    "add_custom_scalars_multilinechart",
    "add_embedding",
    "add_graph",
    "add_image_with_boxes",
    "add_mesh",
    "add_onnx_graph",
    "add_pr_curve_raw",
    "add_tensor",
    "add_video",
}
_ROW_OF_IMAGES = 8


def _on_host(values: Any) -> Any:
    """A tensor's numbers, wherever it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _as_hwc(image: Any, axes: str) -> Any:
    """An array of shape (H, W, C), of one of shape (H, W) or with its axes in any order."""
    import numpy as np

    array = np.asarray(_on_host(image))
    letters = axes.upper()
    if sorted(letters) not in (["C", "H", "W"], ["H", "W"]) or array.ndim != len(letters):
        raise UsageError(f"dataformats={axes!r} does not name the axes of an image of shape {array.shape}.")
    order = [letters.index(letter) for letter in ("HWC" if "C" in letters else "HW")]
    return array.transpose(order)


def _tiled(images: Any, axes: str) -> Any:
    """One array of shape (rows * H, columns * W, C), of one that holds several images."""
    import numpy as np

    array = np.asarray(_on_host(images))
    letters = axes.upper()
    if "N" not in letters or array.ndim != len(letters):
        raise UsageError(f"dataformats={axes!r} does not name the axes of images of shape {array.shape}.")
    each = [_as_hwc(image, letters.replace("N", "")) for image in np.moveaxis(array, letters.index("N"), 0)]
    if not each:
        raise UsageError(f"There is no image in an array of shape {array.shape}.")
    blank = np.zeros_like(each[0])
    rows = [each[start : start + _ROW_OF_IMAGES] for start in range(0, len(each), _ROW_OF_IMAGES)]
    width = len(rows[0])
    return np.concatenate([np.concatenate(row + [blank] * (width - len(row)), axis=1) for row in rows])
