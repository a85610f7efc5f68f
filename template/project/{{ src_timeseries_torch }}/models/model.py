"""The model: a multi-layer perceptron that forecasts the difference to the latest value."""

import torch
from torch import Tensor, nn

from src.data_processing.data_loader import WINDOW


class Model(nn.Module):
    """Linear layers with ReLU between them; what they say is added to the latest value of the window.

    Args:
        hidden: neurons of each hidden layer.
        dropout: part of the features that is left out while training.
    """

    def __init__(self, hidden: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_inputs = WINDOW
        for n_outputs in hidden:
            layers += [nn.Linear(n_inputs, n_outputs), nn.ReLU(), nn.Dropout(dropout)]
            n_inputs = n_outputs
        self.layers = nn.Sequential(*layers, nn.Linear(n_inputs, 1))

    def forward(self, windows: Tensor) -> Tensor:
        """The next values, shape (n,), for windows of shape (n, 24); both are values / SCALE."""
        return windows[:, -1] + torch.squeeze(self.layers(windows), dim=1)
