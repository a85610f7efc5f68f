"""JSON schemas for editors and forms."""

import json
from typing import Any

from runyard.config.editor_schema import config_schema, experiment_schema


def test_config_schema_has_types_limits_help_and_the_project_s_defaults(default: Any) -> None:
    schema = config_schema(default.replace({"epochs": 77}))

    assert schema["properties"]["epochs"] == {
        "default": 77,
        "description": "passes over the training data",
        "minimum": 1,
        "title": "Epochs",
        "type": "integer",
    }
    json.dumps(schema)


def test_experiment_schema_allows_lists_under_grid_only(default: Any) -> None:
    properties = experiment_schema(default)["properties"]

    assert properties["base"]["properties"]["optim.lr"]["type"] == "number"
    assert {"type": "number", "exclusiveMinimum": 0} in [
        {key: one[key] for key in ("type", "exclusiveMinimum") if key in one}
        for one in properties["grid"]["properties"]["optim.lr"]["anyOf"]
    ]
    assert properties["grid"]["additionalProperties"] is False
