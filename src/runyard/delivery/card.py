"""MODEL_CARD.md: what a model is, where it comes from and how good it is, for people. The manifest holds it, too."""

import json
from collections.abc import Sequence
from typing import Any

from runyard.serve.golden import Samples
from runyard.tracking.models import Manifest

FILE = "MODEL_CARD.md"


def render(manifest: Manifest, samples: Samples) -> str:
    """The card of a package, in Markdown."""
    parts = [
        f"# {_cell(manifest.origin.get('project', 'A model'))}",
        _origin(manifest),
        _metrics(manifest),
        _threshold(manifest),
        _interface(manifest),
        _parity(manifest),
        _golden(samples),
        _files(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _origin(manifest: Manifest) -> str:
    known = {"model": manifest.id, "format": manifest.framework, "type": manifest.type, **manifest.origin}
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    return _table(("What", ""), [(name, _shown(value)) for name, value in {**known, "made with": versions}.items()])


def _metrics(manifest: Manifest) -> str:
    if not manifest.metrics:
        return ""
    rows = [
        (name, *(_number(values.get(kind)) for kind in ("last", "min", "max")))
        for name, values in sorted(manifest.metrics.items())
    ]
    return "## How good it is\n\n" + _table(("Metric", "last", "lowest", "highest"), rows)


def _threshold(manifest: Manifest) -> str:
    return "" if manifest.threshold is None else f"Decisions are made at a threshold of {_number(manifest.threshold)}."


def _interface(manifest: Manifest) -> str:
    if not manifest.interface:
        return ""
    schemas = "\n".join(f"{name}: {json.dumps(schema)}" for name, schema in manifest.interface.items())
    return f"## What goes in, what comes out\n\n```\n{schemas}\n```"


def _parity(manifest: Manifest) -> str:
    if not manifest.parity:
        return ""
    known = manifest.parity
    return (
        "## Conversion\n\n"
        f"Converted to ONNX (opset {known['opset']}). On {known['samples']} golden samples its output is at most "
        f"{known['largest_difference']:.2g} away from that of the original; {known['absolute']:g} + "
        f"{known['relative']:g} × value is allowed."
    )


def _golden(samples: Samples) -> str:
    tolerance = samples.tolerance
    rows = [(sample.request, json.dumps(sample.answer, ensure_ascii=False)) for sample in samples.samples]
    return (
        "## Golden samples\n\n"
        f"The folder `golden/` holds {len(rows)} requests. Wherever this model runs it must give these answers, up to "
        f"{tolerance.absolute:g} + {tolerance.relative:g} × value.\n\n" + _table(("Request", "Answer"), rows)
    )


def _files(manifest: Manifest) -> str:
    rows = [
        (name, f"{entry.size_bytes:,}", entry.sha256)
        for name, entry in manifest.files.items()
        if name != FILE  # it cannot know its own
    ]
    return "## Files\n\n" + _table(("File", "Bytes", "SHA-256"), rows)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *(tuple(_cell(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _cell(text: str) -> str:
    """Text of anybody as it stands in a cell: no line break, no markup."""
    line = " ".join(str(text).split())
    return "".join(f"\\{sign}" if sign in "|\\`*_<>[]#" else sign for sign in line)
