"""What a notebook shows of the answers of an evaluation: what is taken for what, and the worst errors as pictures.

HTML without script and style sheet, in which every text is only text (`runyard.drawing`).
"""

from dataclasses import dataclass
from html import escape

from runyard.apps.evaluation import Item, errors, measure
from runyard.drawing import cleaned, paragraph, table
from runyard.tracking.predictions import Predictions

MOST_ERRORS = 12
_MOST_BYTES = 1_500_000  # of pictures: a notebook keeps what it shows
_NOTHING = "–"  # what a detection takes for a thing where there is none, and what it misses


@dataclass(frozen=True)
class ConfusionTable:
    """How often each class (row) got each answer (column)."""

    predictions: Predictions

    def __repr__(self) -> str:
        lines: list[list[object]] = [[*self._head()], *self._rows()]
        return "\n".join("\t".join(str(cell) for cell in line) for line in lines)

    def _repr_html_(self) -> str:
        if self.predictions.has_values:
            return paragraph("These answers are numbers: there are no classes to take for one another.")
        return table(self._head(), self._rows(), what="classes")

    def _head(self) -> list[str]:
        return ["truth \\ answer", *self._labels()]

    def _rows(self) -> list[list[object]]:
        matrix = measure(self.predictions).confusion.tolist()
        return [[label, *counts] for label, counts in zip(self._labels(), matrix, strict=True)]

    def _labels(self) -> list[str]:
        return [*self.predictions.labels, *([_NOTHING] if self.predictions.detection is not None else [])]


@dataclass(frozen=True)
class ErrorGallery:
    """Wrong answers (of a regression: the farthest off), the worst first."""

    items: tuple[Item, ...]

    def __repr__(self) -> str:
        return "\n".join(f"{item.id}: {item.target}, answered {item.prediction}" for item in self.items) or "no errors"

    def _repr_html_(self) -> str:
        if not self.items:
            return paragraph("No errors.")
        parts, room = [], _MOST_BYTES
        for item in self.items:
            room -= len(item.thumbnail or b"")
            parts.append(_card(item, with_picture=room >= 0))
        return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(parts)}</div>'


def confusion_table(predictions: Predictions) -> ConfusionTable:
    """What is taken for what; without classes the table is empty."""
    return ConfusionTable(predictions)


def error_gallery(predictions: Predictions, *, most: int = MOST_ERRORS) -> ErrorGallery:
    """The worst errors, at most `most` of them."""
    return ErrorGallery(tuple(item for group in errors(predictions, most=most).values() for item in group))


def _card(item: Item, *, with_picture: bool) -> str:
    from runyard.apps.report.pictures import uri_of  # late: it comes with all that the report needs

    uri = uri_of(item.thumbnail) if with_picture else ""
    style = "width:112px;image-rendering:pixelated"
    picture = f'<img src="{uri}" alt="{escape(cleaned(item.id))}" style="{style}">' if uri else ""
    sure = f", {item.score:.0%} sure" if item.score is not None else ""
    told = [f"{item.target}, answered {item.prediction}{sure}", item.id]
    told += [f"{name}: {value}" for name, value in list(item.features.items())[:4]]
    return f'<div style="width:160px">{picture}{"".join(paragraph(text) for text in told)}</div>'
