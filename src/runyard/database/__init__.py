"""One database for the index and the queue: connections, transactions, tables."""

from runyard.database.connection import Database, analyze
from runyard.database.damage import explain, is_damaged, set_aside
from runyard.database.schema import INDEX_VERSION, QUEUE_VERSION, metadata
from runyard.database.upsert import upsert

__all__ = [
    "INDEX_VERSION",
    "QUEUE_VERSION",
    "Database",
    "analyze",
    "explain",
    "is_damaged",
    "metadata",
    "set_aside",
    "upsert",
]
