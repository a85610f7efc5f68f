"""The model: a multi-layer perceptron of scikit-learn that learns epoch by epoch, behind what prepares its inputs."""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from src.config import TrainConfig
from src.data_processing.data_loader import CLASSES


def build(config: TrainConfig, n_rows: int) -> Pipeline:
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
    filler = SimpleImputer(keep_empty_features=True)  # a missing value becomes the mean of its column
    return Pipeline([("filler", filler), ("scaler", StandardScaler()), ("network", network)])


def classes() -> np.ndarray:
    """All labels that there are, shape (3,): a first batch may lack some of them."""
    return np.arange(CLASSES)
