"""What a project's `predict` returned, for tables and pages."""

from typing import Any


def columns_of(output: Any) -> dict[str, Any]:
    """The fields of what `predict` returned for one input, by name; what has none is `prediction`."""
    if isinstance(output, dict):
        return output
    if hasattr(output, "_asdict"):
        return dict(output._asdict())
    if hasattr(output, "model_dump"):
        return dict(output.model_dump())
    if hasattr(output, "__dataclass_fields__"):
        return {name: getattr(output, name) for name in output.__dataclass_fields__}
    return {"prediction": output}
