"""All tables. Everything here but `meta` and the accounts can be rebuilt from the run folders.

Times of runs are nanoseconds since 1970 (UTC), as in the journals; all other times are Unix seconds.
A change of the index tables raises INDEX_VERSION, of the queue tables QUEUE_VERSION; nothing else
is needed, since an older table is dropped and filled anew by `runyard reindex`. The tables of the
accounts are never dropped: who raises ACCOUNTS_VERSION brings the statements that lead there.
What is in an index or compared with it is a `Key`, other text `Words`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    text,
)

from runyard.database.text import Key, Words

INDEX_VERSION = 2
QUEUE_VERSION = 2
ACCOUNTS_VERSION = 1

INDEXED_CHARACTERS = 128  # of a setting, on PostgreSQL: an entry has some 2,700 bytes, and its key 2,000 of them

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Key, primary_key=True), Column("value", Key, nullable=False))

# PostgreSQL alone: how many transactions wrote, in parts, so that two who write do not wait for each other
changes = Table(
    "changes",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

# ---- index: one narrow row a run for filtering and sorting; its documents lie beside it, so that scans stay short ----

runs = Table(
    "runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("project", Key, nullable=False),
    Column("name", Key, nullable=False),
    Column("experiment", Words),
    Column("grid", Key),
    Column("kind", Words, nullable=False),
    Column("state", Key, nullable=False),
    Column("reason", Words, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("started_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Column("duration_s", Float),
    Column("user", Words, nullable=False),
    Column("host", Words, nullable=False),
    Column("seed", BigInteger),
    Column("note", Words, nullable=False),
    Column("config_id", Key, nullable=False),
    Column("group", Key, nullable=False),
    Column("code_id", Words),
    Column("fingerprint", Key, nullable=False),
    Column("data", Words),
    Column("parent", Key),
    Column("source", Words),
    Column("is_trashed", Boolean(create_constraint=False), nullable=False),
    # is_trashed comes last: in front it looks like a narrow filter to the planner, and holds for nearly all runs
    Index("runs_by_creation", "created_ns", "id", "is_trashed"),
    Index("runs_by_project", "project", "created_ns", "id", "is_trashed"),
    Index("runs_by_state", "state", "created_ns", "id", "is_trashed"),
    Index("runs_by_start", "started_ns", "id"),
    Index("runs_by_end", "ended_ns", "id"),
    Index("runs_by_duration", "duration_s", "id"),
    Index("runs_by_name", "name", "id"),
    Index("runs_by_grid", "grid", "fingerprint"),
    Index("runs_by_config", "config_id"),
    Index("runs_by_group", "group"),
    Index("runs_by_parent", "parent"),
    sqlite_with_rowid=False,
)

run_documents = Table(
    "run_documents",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("spec", LargeBinary, nullable=False),  # run.json without its spaces
    Column("merged", LargeBinary, nullable=False),  # what the journals say: MessagePack, since JSON has no NaN
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("tag", Key, primary_key=True),
    Index("run_tags_by_tag", "tag", "run_id"),
    sqlite_with_rowid=False,
)

run_config = Table(  # exactly one of number, text, flag is set; none for None
    "run_config",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("key", Key, primary_key=True),  # dotted
    Column("number", Float),
    Column("text", Words),  # also lists, as JSON
    Column("flag", Boolean(create_constraint=False)),
    Index("run_config_by_number", "key", "number", "run_id"),
    Index("run_config_by_text", "key", "text", "run_id").ddl_if(dialect="sqlite"),
    Index("run_config_by_text_start", "key", text(f"left(text, {INDEXED_CHARACTERS})"), "run_id").ddl_if(
        dialect="postgresql"
    ),
    sqlite_with_rowid=False,
)

run_metrics = Table(  # NaN is NULL here
    "run_metrics",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("last", Float),
    Column("last_step", BigInteger),
    Column("min", Float),
    Column("min_step", BigInteger),
    Column("max", Float),
    Column("max_step", BigInteger),
    Column("count", BigInteger, nullable=False),
    Index("run_metrics_by_last", "key", "last", "run_id"),
    Index("run_metrics_by_min", "key", "min", "run_id"),
    Index("run_metrics_by_max", "key", "max", "run_id"),
    sqlite_with_rowid=False,
)

streams = Table(
    "streams",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("attempt", BigInteger, primary_key=True),
    Column("stream", Key, primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("decoder", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),  # what its events say, folded
    Column("sealed_offset", BigInteger, nullable=False),  # chunks hold the points before it, the journal those behind
    Column("sealed_segment", BigInteger, nullable=False),  # number of the first segment that is not full
    Column("sealed_decoder", LargeBinary, nullable=False),
    Column("is_sealed", Boolean(create_constraint=False), nullable=False),  # the begun segment is in chunks too
)

# Points of one segment of a stream, for one set of keys logged together: what the keys share …
chunks = Table(
    "chunks",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("attempt", BigInteger, primary_key=True),
    Column("stream", Key, primary_key=True),
    Column("segment", BigInteger, primary_key=True),
    Column("block", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("cells", LargeBinary, nullable=False),  # first step, last step, last time of every 64 points
    Column("steps", LargeBinary, nullable=False),
    Column("times", LargeBinary, nullable=False),
)

# … and what each key has alone. Small columns come first, so that a chart reads no values.
chunk_values = Table(
    "chunk_values",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("attempt", BigInteger, primary_key=True),
    Column("stream", Key, primary_key=True),
    Column("segment", BigInteger, primary_key=True),
    Column("block", BigInteger, primary_key=True),
    Column("finite", BigInteger, nullable=False),  # points that are not NaN
    Column("min", Float),
    Column("max", Float),
    Column("sum", Float),
    Column("pyramid", LargeBinary, nullable=False),  # min, max, mean, last of every 64 points
    Column("values", LargeBinary, nullable=False),
)

media = Table(
    "media",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("attempt", BigInteger, primary_key=True),
    Column("stream", Key, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("key", Key, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("kind", Words, nullable=False),
    Column("mime", Words, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Index("media_by_key", "run_id", "key", "step"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("attempt", BigInteger, primary_key=True),
    Column("stream", Key, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("name", Words, nullable=False),
    Column("sha256", Key, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("kind", Words, nullable=False),
    Column("meta", LargeBinary, nullable=False),  # MessagePack
    Column("time_ns", BigInteger, nullable=False),
    Index("artifacts_by_sha256", "sha256"),
)

# ---- queue: one row a run that waits or is leased, one a worker, one a user's turn, one a project that is paused ----

queue = Table(
    "queue",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("project", Key, nullable=False),
    Column("grid", Key),
    Column("user", Key, nullable=False),
    Column("state", Key, nullable=False),  # waiting | held | leased
    Column("priority", BigInteger, nullable=False),
    Column("position", Float, nullable=False),
    Column("gpus", BigInteger),
    Column("gpu_memory_bytes", BigInteger),
    Column("cpus", Float),
    Column("memory_bytes", BigInteger),
    Column("held_reason", Words),
    Column("worker_id", Key),
    Column("attempt", BigInteger, nullable=False),
    Column("lease_expires_at", Float),
    Column("claimed_at", Float),
    Column("queued_at", Float, nullable=False),
    Column("estimated_s", Float),
    Index("queue_by_order", "state", text("priority DESC"), "position", "run_id"),
    Index("queue_by_user", "state", "user"),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Key, primary_key=True),
    Column("host", Words, nullable=False),
    Column("user", Words, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("home", Words, nullable=False),
    Column("slots", Words, nullable=False),  # JSON
    Column("seen_at", Float, nullable=False),
    Column("report", Words),  # JSON: how its machine and the slots there do
)

# who got a slot last, so that users who have equally many take turns; forgotten when the queue is rebuilt
turns = Table("turns", metadata, Column("user", Key, primary_key=True), Column("turn", BigInteger, nullable=False))

# a machine cannot execute a run as things are there: it is left to others, and to this one after a while
refusals = Table(
    "refusals",
    metadata,
    Column("run_id", Key, primary_key=True),
    Column("host", Key, primary_key=True),
    Column("reason", Words, nullable=False),
    Column("refused_at", Float, nullable=False),
)

paused_projects = Table(
    "paused_projects",
    metadata,
    Column("project", Key, primary_key=True),
    Column("by", Words, nullable=False),
    Column("paused_at", Float, nullable=False),
)

# ---- accounts: made when a server first needs them; the only tables that hold what no folder does ----

users = Table(
    "users",
    metadata,
    Column("name", Key, primary_key=True),
    Column("role", Key, nullable=False),  # viewer | member | admin
    Column("password_hash", Key),  # argon2id; none before the invitation was used
    Column("is_disabled", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float),
)

tokens = Table(  # of machines; the token itself is shown once and is not kept
    "tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("sha256", Key, nullable=False, unique=True),
    Column("user", Key, nullable=False),
    Column("label", Key, nullable=False),
    Column("role", Key, nullable=False),
    Column("projects", Words),  # a JSON list; none: all that its owner may see
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("used_at", Float),
    Column("revoked_at", Float),
    Index("tokens_by_user", "user"),
)

sessions = Table(  # of browsers
    "sessions",
    metadata,
    Column("sha256", Key, primary_key=True),
    Column("user", Key, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Index("sessions_by_user", "user"),
)

links = Table(  # each good for one visit: the first admin, an invitation, a new password
    "links",
    metadata,
    Column("sha256", Key, primary_key=True),
    Column("kind", Key, nullable=False),  # first | invitation | reset
    Column("user", Key),  # none: whoever follows it chooses the name
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Index("links_by_user", "user"),
)

attempts = Table(  # failed logins of the last minutes, by name and by address
    "attempts",
    metadata,
    Column("key", Key, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("begun_at", Float, nullable=False),
)

private_projects = Table(
    "private_projects",
    metadata,
    Column("project", Key, primary_key=True),
    Column("created_at", Float, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("project", Key, primary_key=True),
    Column("user", Key, primary_key=True),
    Column("created_at", Float, nullable=False),
    Index("members_by_user", "user"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("who", Key, nullable=False),
    Column("what", Key, nullable=False),
    Column("subject", Words, nullable=False),
    Column("detail", Words, nullable=False),
)

INDEX_TABLES = [
    runs,
    run_documents,
    run_tags,
    run_config,
    run_metrics,
    streams,
    chunks,
    chunk_values,
    media,
    artifacts,
]
QUEUE_TABLES = [queue, workers, turns, refusals, paused_projects]
ACCOUNTS_TABLES = [users, tokens, sessions, links, attempts, private_projects, members, audit]
