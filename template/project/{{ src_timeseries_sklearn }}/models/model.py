"""The model: a multi-layer perceptron of scikit-learn that learns epoch by epoch."""

from sklearn.neural_network import MLPRegressor

from src.config import TrainConfig


def build(config: TrainConfig, n_windows: int) -> MLPRegressor:
    """Make a model that has learnt nothing yet, for a training with `n_windows` windows."""
    optim = config.optim
    settings = {"beta_1": optim.beta1} if optim.kind == "adam" else {"momentum": optim.momentum}
    return MLPRegressor(
        hidden_layer_sizes=tuple(config.model.hidden),
        alpha=config.model.alpha,
        batch_size=min(config.batch_size, n_windows),
        solver=optim.kind,
        learning_rate_init=optim.lr,
        random_state=config.seed,
        **settings,
    )
