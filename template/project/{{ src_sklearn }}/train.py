"""Train a model that reads digits. A script to be read from top to bottom, and to be changed all day."""

import skops.io
from runyard import Run
from sklearn.metrics import accuracy_score, log_loss

from src.config import TrainConfig
from src.data_processing.data_loader import CLASSES, load, split
from src.models.model import build, classes, features

# What a checkpoint may hold besides the types that skops trusts anyway. Loading it runs no code.
CHECKPOINT_TYPES = [
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]


def train(config: TrainConfig, run: Run) -> None:
    # ---- data ----
    images, labels = load(run.data or config.data.root)  # (n, 8, 8) in 0..1 and (n,) in 0..9
    data = split(images, labels, validation=config.data.validation, seed=config.data.split_seed)
    x, y = features(data.train_images), data.train_labels  # (n_train, 64), (n_train,)
    val_x, val_y = features(data.val_images), data.val_labels  # (n_val, 64), (n_val,)

    # ---- model: new, or where an interrupted attempt of this run has left off ----
    model = build(config, len(x))
    first_epoch = 0
    checkpoint = run.checkpoint_dir / "checkpoint.skops"
    if checkpoint.exists():
        saved = skops.io.load(checkpoint, trusted=CHECKPOINT_TYPES)
        model, first_epoch = saved["model"], saved["epoch"] + 1

    # ---- training ----
    for epoch in run.progress(range(first_epoch, config.epochs)):
        model.partial_fit(x, y, classes=classes())  # one pass, in batches and in a new order each time
        probabilities = model.predict_proba(val_x)  # (n_val, 10)
        run.log(
            {
                "train/loss": model.loss_,
                "val/loss": log_loss(val_y, probabilities, labels=classes()),
                "val/accuracy": accuracy_score(val_y, probabilities.argmax(axis=1)),
            },
            step=epoch,
        )
        if (epoch + 1) % config.checkpoint_every == 0:
            unfinished = checkpoint.with_suffix(".unfinished")
            skops.io.dump({"model": model, "epoch": epoch}, unfinished)
            unfinished.replace(checkpoint)  # at once: a checkpoint is there as a whole or not at all

    # ---- results ----
    run.log_confusion_matrix("val/confusion", targets=val_y, predictions=model.predict(val_x), labels=range(CLASSES))
    run.save_model(model)
