"""The model: a small convolutional network, made for images of 8 x 8 pixels."""

import torch
from torch import Tensor, nn

from src.data_processing.data_loader import CLASSES, SIZE


class Model(nn.Module):
    """Convolutions, each one after the first with half the resolution of the one before, then one linear layer.

    Args:
        channels: feature maps of each convolution.
        dropout: part of the features that is left out while training.
    """

    def __init__(self, channels: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size, n_inputs = SIZE, 1
        for depth, n_outputs in enumerate(channels):
            stride = 1 if depth == 0 else 2
            layers += [nn.Conv2d(n_inputs, n_outputs, kernel_size=3, padding=1, stride=stride), nn.ReLU()]
            size, n_inputs = -(-size // stride), n_outputs
        self.convolutions = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(n_inputs * size * size, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape (n, 10) for images of shape (n, 8, 8) with values in 0..1."""
        x = self.convolutions(images.unsqueeze(1))  # (n, channels, size, size)
        return self.head(self.dropout(torch.flatten(x, start_dim=1)))  # (n, 10)
