"""Which settings of a run name data."""

from runyard.config.datapaths import named_paths


def test_data_option_replaces_what_the_config_names() -> None:
    config = {"data": {"root": "images", "size": 3}, "other": None}
    keys = ("data.root", "data.size", "other", "data.root.deep", "missing")

    assert named_paths(config, keys, None) == [("data.root", "images")]
    assert named_paths(config, keys, "/mnt") == [("--data", "/mnt")]
