"""The model: a multi-layer perceptron of scikit-learn that learns epoch by epoch."""

from typing import TYPE_CHECKING

import numpy as np

from src.config import TrainConfig
from src.data_processing.data_loader import CLASSES, Images

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier


def build(config: TrainConfig, n_images: int) -> "MLPClassifier":
    """Make a model that has learnt nothing yet, for a training with `n_images` images."""
    from sklearn.neural_network import MLPClassifier  # only here: a container for ONNX has no scikit-learn

    optim = config.optim
    settings = {"beta_1": optim.beta1} if optim.kind == "adam" else {"momentum": optim.momentum}
    return MLPClassifier(
        hidden_layer_sizes=tuple(config.model.hidden),
        alpha=config.model.alpha,
        batch_size=min(config.batch_size, n_images),
        solver=optim.kind,
        learning_rate_init=optim.lr,
        random_state=config.seed,
        **settings,
    )


def features(images: Images) -> Images:
    """Lay the pixels of each image in one row: shape (n, 8, 8) becomes (n, 64)."""
    return np.ascontiguousarray(images.reshape(len(images), -1))


def classes() -> np.ndarray:
    """All labels that there are, shape (10,): a first batch may lack some of them."""
    return np.arange(CLASSES)
