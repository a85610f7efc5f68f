"""The client of a team's server: the same door as to the home of this machine, over HTTP."""

from runyard.client.remote.client import RemoteClient

__all__ = ["RemoteClient"]
