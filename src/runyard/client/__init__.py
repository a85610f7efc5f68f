"""The one door to runs: a home on this machine. What notebooks hold stands in `runyard.client.runs`."""

from runyard.client.client import Client, open_client

__all__ = ["Client", "open_client"]
