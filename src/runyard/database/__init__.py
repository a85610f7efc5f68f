"""One database for the index and the queue: connections, transactions, tables."""

from runyard.database.connection import Database, analyze, data_version
from runyard.database.damage import explain, is_damaged, set_aside
from runyard.database.deadlocks import again_after_deadlock
from runyard.database.locks import keep_code, lock_code, lock_queue, lock_runs
from runyard.database.schema import INDEX_VERSION, QUEUE_VERSION, metadata
from runyard.database.upsert import insert_missing, upsert

__all__ = [
    "INDEX_VERSION",
    "QUEUE_VERSION",
    "Database",
    "again_after_deadlock",
    "analyze",
    "data_version",
    "explain",
    "insert_missing",
    "is_damaged",
    "keep_code",
    "lock_code",
    "lock_queue",
    "lock_runs",
    "metadata",
    "set_aside",
    "upsert",
]
