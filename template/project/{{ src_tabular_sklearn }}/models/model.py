"""The model: a multi-layer perceptron of scikit-learn that learns epoch by epoch, behind a scaler."""

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from src.config import TrainConfig
from src.data_processing.data_loader import CLASSES

Model = Pipeline


def build(config: TrainConfig, n_rows: int) -> Model:
    """Make a model that has learnt nothing yet, for a training with `n_rows` rows."""
    optim = config.optim
    settings = {"beta_1": optim.beta1} if optim.kind == "adam" else {"momentum": optim.momentum}
    network = MLPClassifier(
        hidden_layer_sizes=tuple(config.model.hidden),
        alpha=config.model.alpha,
        batch_size=min(config.batch_size, n_rows),
        solver=optim.kind,
        learning_rate_init=optim.lr,
        random_state=config.seed,
        **settings,
    )
    return Pipeline([("scaler", StandardScaler()), ("network", network)])


def classes() -> np.ndarray:
    """All labels that there are, shape (3,): a first batch may lack some of them."""
    return np.arange(CLASSES)
