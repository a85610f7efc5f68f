"""The model: a small convolutional network that says for each 4 x 4 pixels whether something has its middle there."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss

from src.data_processing.data_loader import CLASSES, Boxes, overlap
from src.data_processing.scenes import DIGIT, SIZE

STRIDE = 4
GRID = SIZE // STRIDE  # cells of a side


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


def decode(answers: Tensor, *, threshold: float = 0.5) -> list[tuple[Boxes, list[float]]]:
    """The boxes that answers mean, the surest first, with how sure the model is; of two that overlap, the surer one."""
    scores = answers[..., 0].sigmoid().cpu()  # (n, 8, 8)
    edges = (answers[..., 1:5].cpu() * DIGIT + _middles()).clamp(0, SIZE)  # (n, 8, 8, 4)
    labels = answers[..., 5:].argmax(dim=-1, keepdim=True).cpu()  # (n, 8, 8, 1)
    boxes = torch.cat([labels.float(), edges], dim=-1)
    found = []
    for image_scores, image_boxes in zip(scores, boxes, strict=True):
        kept: list[tuple[float, Boxes]] = []
        sure = image_scores > threshold
        candidates = zip(image_scores[sure].tolist(), image_boxes[sure].numpy(), strict=True)
        for score, box in sorted(candidates, key=lambda pair: -pair[0]):
            if all(overlap(box, other) < 0.3 for _, other in kept):
                kept.append((score, box))
        found.append((np.array([box for _, box in kept], dtype=np.float32), [score for score, _ in kept]))
    return found


def _middles() -> Tensor:
    """The middle of each cell as left, top, right, bottom, in pixels, shape (8, 8, 4)."""
    edges = (torch.arange(GRID) + 0.5) * STRIDE
    rows, columns = torch.meshgrid(edges, edges, indexing="ij")
    return torch.stack([columns, rows, columns, rows], dim=-1)
