"""Writes the event files beside it with TensorFlow itself, in its new and its old form, and what its own reader says.

    python write_with_tensorflow.py FOLDER

Needs `pip install tensorflow-cpu`, which is why its files are kept: `keras/` by the callback of Keras, `new/` by
`tf.summary` and the plugin for hyperparameters, `old/` by the FileWriter of TensorFlow 1.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams


def keras(folder: Path) -> None:
    """Two epochs of a model with one weight, watched by the callback."""
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1, name="line")])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    callback = tf.keras.callbacks.TensorBoard(str(folder), histogram_freq=1, write_graph=False, update_freq=1)
    model.fit(x, 2 * x, batch_size=4, epochs=2, validation_data=(x, 2 * x), verbose=0, callbacks=[callback])


def new(folder: Path) -> None:
    """Every kind that `tf.summary` has, and hyperparameters."""
    with tf.summary.create_file_writer(str(folder)).as_default():
        hparams.hparams({"lr": 0.1, "layers": 3, "kind": "adam", "deep": True})
        for step in range(12):
            tf.summary.scalar("loss", 1 / (step + 1), step=step * 100)
        tf.summary.image("picture", np.full((2, 3, 4, 3), 0.5, np.float32), step=1)
        tf.summary.histogram("weights", np.arange(60.0), step=2, buckets=4)
        tf.summary.text("sample", "Once upon a time", step=3)


def old(folder: Path) -> None:
    """Numbers as `simple_value`, a picture and a histogram in their own fields, as TensorFlow 1 wrote them."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        writer = v1.summary.FileWriter(str(folder))
        loss = v1.placeholder(tf.float32, ())
        number = v1.summary.scalar("loss", loss)
        for step in range(12):
            writer.add_summary(session.run(number, {loss: 1 / (step + 1)}), step)
        picture = v1.summary.image("picture", tf.fill((1, 3, 4, 3), 0.5))
        weights = v1.summary.histogram("weights", tf.range(60, dtype=tf.float64))
        for what in (picture, weights):
            writer.add_summary(session.run(what), 2)
        writer.close()


def scalars(folder: Path) -> dict[str, list[list[float]]]:
    """What TensorFlow's own reader finds below a folder: step and value of each point, by its tag."""
    found: dict[str, list[list[float]]] = {}
    for path in sorted(folder.glob("*tfevents*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(value.tag, []).append([event.step, value.simple_value])
                elif plugin == "scalars":
                    found.setdefault(value.tag, []).append([event.step, float(tf.make_ndarray(value.tensor))])
    return found


def main() -> None:
    root = Path(sys.argv[1])
    for write in (keras, new, old):
        write(root / write.__name__)
    folders = sorted({path.parent for path in root.rglob("*tfevents*")})
    expected = {folder.relative_to(root).as_posix(): scalars(folder) for folder in folders}
    (root / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
