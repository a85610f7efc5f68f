"""The model: a small convolutional network that says for each 4 x 4 pixels whether something has its middle there."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss

from src.data_processing.data_loader import CLASSES, Boxes
from src.data_processing.scenes import DIGIT
from src.models.boxes import GRID, STRIDE, middles


class Model(nn.Module):
    """Three convolutions, the last two of which halve the size; a fourth one looks around; the head answers.

    Args:
        channels: feature maps of the three convolutions.
        dropout: part of the features that is left out while training.
    """

    def __init__(self, channels: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        one, two, three = channels
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, one, kernel_size=3, padding=1), nn.ReLU()),
            *(nn.Conv2d(one, two, kernel_size=3, padding=1, stride=2), nn.ReLU()),
            *(nn.Conv2d(two, three, kernel_size=3, padding=1, stride=2), nn.ReLU()),
            *(nn.Conv2d(three, three, kernel_size=3, padding=1), nn.ReLU()),
            nn.Dropout(dropout),
        )
        self.head = nn.Conv2d(three, 1 + 4 + CLASSES, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Answers of shape (n, 8, 8, 15) for images of shape (n, 32, 32) with values in 0..1.

        Of each cell: a logit that there is something, four edges from its middle in sizes of a digit, ten logits.
        """
        return self.head(self.convolutions(images.unsqueeze(1))).permute(0, 2, 3, 1)


def encode(boxes: list[Boxes]) -> Tensor:
    """What the model should answer, shape (n, 8, 8, 6): 1 where something has its middle, four edges, the label."""
    answers = torch.zeros(len(boxes), GRID, GRID, 6)
    for answer, found in zip(answers, boxes, strict=True):
        for label, left, top, right, bottom in found.tolist():
            column, row = int((left + right) / 2 // STRIDE), int((top + bottom) / 2 // STRIDE)
            edges = torch.tensor([left, top, right, bottom])
            answer[row, column, 0] = 1
            answer[row, column, 1:5] = (edges - _middles()[row, column]) / DIGIT
            answer[row, column, 5] = label
    return answers


def loss(answers: Tensor, wanted: Tensor) -> Tensor:
    """How wrong the answers are: about something being there at all, and where there is, about edges and label."""
    is_there = wanted[..., 0] > 0  # (n, 8, 8)
    presence = binary_cross_entropy_with_logits(answers[..., 0], wanted[..., 0], pos_weight=answers.new_tensor(8.0))
    if not is_there.any():
        return presence
    edges = smooth_l1_loss(answers[is_there][:, 1:5], wanted[is_there][:, 1:5], beta=0.1)
    labels = cross_entropy(answers[is_there][:, 5:], wanted[is_there][:, 5].long())
    return presence + edges + labels


def _middles() -> Tensor:
    """The middle of each cell as left, top, right, bottom, in pixels, shape (8, 8, 4)."""
    return torch.from_numpy(middles())
