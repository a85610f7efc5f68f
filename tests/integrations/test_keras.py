"""The callback for Keras, with Keras."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("keras", "torch")
IMPORTS = ("keras", "torch")
pytestmark = [pytest.mark.slow, pytest.mark.torch]

MODEL = """
import keras, numpy as np, runyard
from runyard.integrations.keras import RunyardCallback
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile(keras.optimizers.Adam(0.05), loss="binary_crossentropy", metrics=["accuracy"])
"""


def test_fit_is_logged_by_batch_and_epoch_and_its_best_model_is_kept(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
run = runyard.start_run("weld")
class Worse(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.set_weights([-10 * weight for weight in self.model.get_weights()])
callbacks = [Worse(), RunyardCallback(every_batches=1)]
held_out = x[48:], y[48:]
told = model.fit(
    x[:48], y[:48], epochs=3, batch_size=16, validation_data=held_out, verbose=0, callbacks=callbacks
).history["val_loss"]
best = keras.saving.load_model(run.checkpoint_dir / "best.keras").evaluate(*held_out, verbose=0)[0]
assert abs(best - min(told)) < 1e-5 < told[2] - best, (best, told)
run.finish()
""",
    )

    assert run.state == "COMPLETED"
    assert run.config["keras"]["optimizer"]["name"] == "adam"
    assert run.config["keras"]["parameters"] == 49
    assert list(run.series("epoch").values) == [0, 1, 2]
    assert list(run.series("val/loss").steps) == [3, 6, 9]  # batches so far
    assert len(run.series("batch/loss").values) == 9
    assert {"train/accuracy", "val/accuracy", "train/lr"} <= set(run.summary)
    assert {"model/model.keras", "model/manifest.json"} <= {file.name for file in run.artifacts()}


def test_a_signal_ends_fit_after_the_batch(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
import os, signal
class Stopper(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1:
            os.kill(os.getpid(), signal.SIGTERM)
run = runyard.start_run("weld")
model.fit(x, y, epochs=50, batch_size=16, verbose=0, callbacks=[Stopper(), RunyardCallback(every_batches=1)])
run.finish()
""",
    )

    assert run.state == "INTERRUPTED"
    assert len(run.series("batch/loss").values) == 2


def test_a_kept_model_predicts_as_before_and_one_with_foreign_code_is_refused(tmp_path: Path) -> None:
    run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
from runyard import RunyardError, load_model
from runyard.tracking.models import read_manifest, save_model
save_model(model, "model")
assert read_manifest("model").framework == "keras"
np.testing.assert_allclose(load_model("model").predict(x, verbose=0), model.predict(x, verbose=0))

odd = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda value: value * 2)])
save_model(odd, "odd")
try:
    load_model("odd")
except RunyardError as problem:
    assert "into=model" in str(problem), problem
else:
    raise SystemExit("code of a model was executed")
assert load_model("odd", into=odd) is odd
""",
    )
