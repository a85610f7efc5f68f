"""What a run keeps: files, models, and the answers of an evaluation."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

from runyard.journal.events import FileLogged
from runyard.tracking.complaints import caller
from runyard.tracking.recording import Recording

if TYPE_CHECKING:
    from runyard.tracking.predictions import Predictions


class Keeping(Recording):
    """Files that outlive the training. They are copied here, and the supervisor stores them."""

    def log_predictions(
        self,
        targets: Any,
        predictions: Any = None,
        *,
        scores: Any = None,
        labels: Sequence[Any] | None = None,
        ids: Any = None,
        images: Any = None,
        paths: Sequence[Any] | None = None,
        ms: Any = None,
        times: Any = None,
        features: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what the model answered for each sample of an evaluation set; a later call replaces an earlier one.

        The customer's page and the report live on it: threshold, errors and comparison need no model then.

        Args:
            targets: the truth, shape (n,): class numbers, class names, or values of a regression.
            predictions: the answers, of the same kind; without them the class with the highest score.
            scores: shape (n, classes), or (n,) for the second of two classes; a score of 0.5 decides.
            labels: names of class 0, 1, ….
            ids: unique, and the same for the same sample in other runs; without them the times, the paths, the content
                of the images or the features, else numbers.
            images: as `log_image` takes them, n of them. Up to 400 become thumbnails, the worst answers first.
            paths: of the samples; where they are image files and `images` is left out, thumbnails come from them.
            ms: milliseconds a sample took: n of them, or one number for all.
            times: of the samples of a forecast, in order: n numbers or texts. Pages draw truth and answers over them.
            features: what tells people which sample it is, by name: columns of shape (n,), at most 60.
        """

        def found() -> "Predictions":
            from runyard.tracking.predictions import collect

            return collect(
                targets,
                predictions,
                scores=scores,
                labels=labels,
                ids=ids,
                images=images,
                paths=paths,
                ms=ms,
                times=times,
                features=features,
            )

        self._keep_predictions(found)

    def log_detections(
        self,
        targets: Any,
        found: Any,
        *,
        labels: Sequence[Any],
        ids: Any = None,
        images: Any = None,
        paths: Sequence[Any] | None = None,
        ms: Any = None,
    ) -> None:
        """As `log_predictions`, for models that find things in images.

        Args:
            targets: for each image what is in it, shape (k, 5): class number, left, top, right, bottom in pixels.
            found: for each image what the model found, shape (k, 6): the same and a score from 0 to 1. From 0.5 on a
                box is an answer; keep weaker ones as well (from 0.05, say), since the threshold is moved over them.
            labels: names of class 0, 1, ….
            ids, images, paths, ms: as for `log_predictions`.
        """

        def kept() -> "Predictions":
            from runyard.tracking.predictions import collect_boxes

            return collect_boxes(targets, found, labels=labels, ids=ids, images=images, paths=paths, ms=ms)

        self._keep_predictions(kept)

    def _keep_predictions(self, collected: Callable[[], "Predictions"]) -> None:
        self._raise_stop()
        try:
            if not self._is_open():
                return
            from runyard.tracking.predictions import FILE, KIND, write_predictions

            found = collected()
            self._attempt.files.mkdir(parents=True, exist_ok=True)
            write_predictions(found, self._attempt.files / FILE)
            meta = {"task": str(found.task), "samples": len(found), "classes": len(found.labels)}
            self._event(FileLogged(time_ns=time_ns(), name=FILE, kind=KIND, meta=meta))
        except Exception as problem:  # one of the three places of STYLE.md
            self._complaints.once(
                "predictions", f"{caller()}: the predictions could not be kept: {problem} Training goes on"
            )

    def log_artifact(self, path: "str | Path", name: str | None = None) -> None:
        """Keep a copy of a file, or of all files in a folder, under `name` (its own name if left out).

        Raises:
            UsageError: the name is absolute or leads out of its folder.
        """
        from runyard.tracking.files import check_file_name

        source = Path(path)
        self._keep_files(source, check_file_name(source.absolute().name if name is None else name), "artifact", {})

    def save_model(self, model: Any, name: str = "model", *, meta: "Mapping[str, Any] | None" = None) -> None:
        """Keep a model, without pickle: PyTorch as safetensors, scikit-learn as skops, a dict of NumPy arrays as npz.

        `meta` is JSON-like and goes into the model's manifest. `runyard.tracking.models.load_model` reads it back.
        Unlike the log calls this one raises what goes wrong: a run without its model must not look completed.

        Raises:
            UsageError: such a model cannot be saved without pickle, or the name leads out of its folder.
            MissingExtra: a package is needed for that.
            OSError: the disk is full.
        """
        import tempfile  # late, as the next: only runs that save a model need them

        from runyard.tracking.files import check_file_name, copy_into
        from runyard.tracking.models import save_model

        checked = check_file_name(name)
        self._attempt.files.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".model-", dir=self._attempt.files) as folder:
            manifest = save_model(model, folder, meta={**(meta or {}), "run": self.id, "attempt": self.attempt})
            about = {"framework": manifest.framework, "type": manifest.type}
            for kept in copy_into(self._attempt.files, Path(folder), checked):
                self._event(FileLogged(time_ns=time_ns(), name=kept, kind="model", meta=about))

    def _keep_files(self, source: Path, name: str, kind: str, meta: dict[str, Any]) -> None:
        from runyard.tracking.files import copy_into

        try:
            if self._is_open():
                for kept in copy_into(self._attempt.files, source, name):
                    self._event(FileLogged(time_ns=time_ns(), name=kept, kind=kind, meta=meta))
        except Exception as problem:  # one of the three places of STYLE.md
            self._complaints.once(("file", name), f"{caller()}: {problem} Training goes on")
