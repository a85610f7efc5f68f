"""The model: a multi-layer perceptron that knows how its inputs are scaled."""

import torch
from torch import Tensor, nn

from src.data_processing.data_loader import CLASSES, FEATURES


class Model(nn.Module):
    """Means for what is missing, scaling, linear layers with ReLU between them, then one for the classes.

    Args:
        hidden: neurons of each hidden layer.
        dropout: part of the features that is left out while training.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, hidden: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(FEATURES)))  # saved with the weights
        self.register_buffer("spread", torch.ones(len(FEATURES)))
        layers: list[nn.Module] = []
        n_inputs = len(FEATURES)
        for n_outputs in hidden:
            layers += [nn.Linear(n_inputs, n_outputs), nn.ReLU(), nn.Dropout(dropout)]
            n_inputs = n_outputs
        self.layers = nn.Sequential(*layers, nn.Linear(n_inputs, CLASSES))

    def scale_like(self, rows: Tensor) -> None:
        """Bring each feature to mean 0 and deviation 1, as it has them in `rows`, shape (n, 13); NaN is left out."""
        self.mean.copy_(rows.nanmean(dim=0).nan_to_num())
        filled = torch.where(rows.isnan(), self.mean, rows)
        self.spread.copy_(filled.std(dim=0).clamp_min(1e-6))

    def forward(self, rows: Tensor) -> Tensor:
        """Logits of shape (n, 3) for rows of shape (n, 13); NaN counts as the mean of its feature."""
        filled = torch.where(torch.isnan(rows), self.mean, rows)
        return self.layers((filled - self.mean) / self.spread)
