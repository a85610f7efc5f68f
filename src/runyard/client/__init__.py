"""The one door to runs: a home on this machine."""

from runyard.client.client import Client, open_client
from runyard.client.runs import AttemptStory, Runs, StoredFile, TrackedRun, read_media, runs

__all__ = ["AttemptStory", "Client", "Runs", "StoredFile", "TrackedRun", "open_client", "read_media", "runs"]
