"""Who waits for whom while several write into one database.

SQLite has one writer at a time: whoever is in a write transaction is alone, and nothing here does anything.

On PostgreSQL write transactions run side by side, each statement seeing what is committed when it begins, and what
must not happen at the same time is kept apart by locks that the end of the transaction lets go of:

- **A run.** Whatever changes what is known of a run, or looks at it in order to change it or its place in the queue,
  calls `lock_runs` first: bytes of a journal are applied once, and nobody changes the run between a look and the
  change that follows from it. Runs that nobody knows yet need no lock: `insert_missing` lets one inserter win.
- **A row of the queue.** What one statement decides and changes (heartbeat, finish, hold) needs no more than that
  statement. A claim locks the row that it found and passes over rows that others hold (SKIP LOCKED).
- **The whole queue.** Only rebuilding it keeps all others from its rows meanwhile (`lock_queue`).
- **Stored code.** Submitting calls `keep_code`, emptying the trash `lock_code`: no code is deleted under a run that
  is being made. Submissions do not wait for each other.
- **Tables.** One process creates them (`lock_tables`).

Nobody waits in a circle, as everybody takes locks in this order: code, all runs at once, queue, workers; and rows of a
kind in the order of their keys. Readers take none: they see the state in which their transaction began.
"""

from collections.abc import Iterable
from zlib import crc32

from sqlalchemy import Connection, text

_SLOTS = 1024  # runs share so many locks: a thousand at once do not exhaust what the server has, and few ever meet
_OURS = 0x52554E00  # "RUN": the first half of our numbers among the advisory locks of a database
_OF_RUNS, _OF_CODE, _OF_TABLES = _OURS, _OURS + 1, _OURS + 2

_LOCK_RUNS = text(
    f"SELECT count(pg_advisory_xact_lock({_OF_RUNS}, slot)::text) FROM unnest(CAST(:slots AS int[])) AS slot"
)


def lock_runs(tx: Connection, run_ids: Iterable[str]) -> None:
    """Let nobody else change these runs until the transaction ends. Asked for once, with all runs that it is about."""
    if tx.dialect.name == "postgresql":
        slots = sorted({crc32(run_id.encode(errors="surrogatepass")) % _SLOTS for run_id in run_ids})
        tx.execute(_LOCK_RUNS, {"slots": slots})


def lock_queue(tx: Connection) -> None:
    """Let nobody else write rows of the queue until the transaction ends; its first statement."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE queue IN EXCLUSIVE MODE")


def keep_code(tx: Connection) -> None:
    """Let nobody delete stored code until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_OF_CODE}, 0)")


def lock_code(tx: Connection) -> None:
    """Be the only one who deletes stored code, while nobody makes runs with it, until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_OF_CODE}, 0)")


def lock_tables(tx: Connection) -> None:
    """Be the only one who creates tables until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_OF_TABLES}, 0)")
