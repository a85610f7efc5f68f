"""All tables. Everything here but `meta` and the accounts can be rebuilt from the run folders.

Times of runs are nanoseconds since 1970 (UTC), as in the journals; all other times are Unix seconds.
A change of the index tables raises INDEX_VERSION, of the queue tables QUEUE_VERSION; nothing else
is needed, since an older table is dropped and filled anew by `runyard reindex`. The tables of the
accounts are never dropped: who raises ACCOUNTS_VERSION brings the statements that lead there.
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
    String,
    Table,
    Text,
)

INDEX_VERSION = 1
QUEUE_VERSION = 1
ACCOUNTS_VERSION = 1

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

# ---- index: one narrow row a run for filtering and sorting; its documents lie beside it, so that scans stay short ----

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("name", String, nullable=False),
    Column("experiment", String),
    Column("grid", String),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("started_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Column("duration_s", Float),
    Column("user", String, nullable=False),
    Column("host", String, nullable=False),
    Column("seed", BigInteger),
    Column("note", Text, nullable=False),
    Column("config_id", String, nullable=False),
    Column("group", String, nullable=False),
    Column("code_id", String),
    Column("fingerprint", String, nullable=False),
    Column("data", Text),
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
    sqlite_with_rowid=False,
)

run_documents = Table(
    "run_documents",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("spec", LargeBinary, nullable=False),  # run.json without its spaces
    Column("merged", LargeBinary, nullable=False),  # what the journals say: MessagePack, since JSON has no NaN
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("tag", String, primary_key=True),
    Index("run_tags_by_tag", "tag", "run_id"),
    sqlite_with_rowid=False,
)

run_config = Table(  # exactly one of number, text, flag is set; none for None
    "run_config",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("key", String, primary_key=True),  # dotted
    Column("number", Float),
    Column("text", Text),  # also lists, as JSON
    Column("flag", Boolean(create_constraint=False)),
    Index("run_config_by_number", "key", "number", "run_id"),
    Index("run_config_by_text", "key", "text", "run_id"),
    sqlite_with_rowid=False,
)

run_metrics = Table(  # NaN is NULL here
    "run_metrics",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("key", String, primary_key=True),
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
    Column("run_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("decoder", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),  # what its events say, folded
    Column("sealed_offset", BigInteger, nullable=False),  # chunks hold the points before it, the journal those behind
    Column("sealed_segment", Integer, nullable=False),  # number of the first segment that is not full
    Column("sealed_decoder", LargeBinary, nullable=False),
    Column("is_sealed", Boolean(create_constraint=False), nullable=False),  # the begun segment is in chunks too
)

# Points of one segment of a stream, for one set of keys logged together: what the keys share …
chunks = Table(
    "chunks",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("block", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("cells", LargeBinary, nullable=False),  # first step, last step, last time of every 64 points
    Column("steps", LargeBinary, nullable=False),
    Column("times", LargeBinary, nullable=False),
)

# … and what each key has alone. Small columns come first, so that a chart reads no values.
chunk_values = Table(
    "chunk_values",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("block", Integer, primary_key=True),
    Column("finite", Integer, nullable=False),  # points that are not NaN
    Column("min", Float),
    Column("max", Float),
    Column("sum", Float),
    Column("pyramid", LargeBinary, nullable=False),  # min, max, mean, last of every 64 points
    Column("values", LargeBinary, nullable=False),
)

media = Table(
    "media",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("key", String, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("mime", String, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Index("media_by_key", "run_id", "key", "step"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("meta", LargeBinary, nullable=False),  # MessagePack
    Column("time_ns", BigInteger, nullable=False),
    Index("artifacts_by_sha256", "sha256"),
)

# ---- queue: one row a run that waits or is leased, one a worker, one a project that is paused ----

queue = Table(
    "queue",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("grid", String),
    Column("user", String, nullable=False),
    Column("state", String, nullable=False),  # waiting | held | leased
    Column("priority", Integer, nullable=False),
    Column("position", Float, nullable=False),
    Column("gpus", Integer),
    Column("gpu_memory_bytes", BigInteger),
    Column("cpus", Float),
    Column("memory_bytes", BigInteger),
    Column("held_reason", Text),
    Column("worker_id", String),
    Column("attempt", Integer, nullable=False),
    Column("lease_expires_at", Float),
    Column("claimed_at", Float),
    Column("queued_at", Float, nullable=False),
    Column("estimated_s", Float),
    Index("queue_by_order", "state", "priority", "position"),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("user", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("home", Text, nullable=False),
    Column("slots", Text, nullable=False),  # JSON
    Column("seen_at", Float, nullable=False),
)

paused_projects = Table(
    "paused_projects",
    metadata,
    Column("project", String, primary_key=True),
    Column("by", String, nullable=False),
    Column("paused_at", Float, nullable=False),
)

# ---- accounts: made when a server first needs them; the only tables that hold what no folder does ----

users = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),  # viewer | member | admin
    Column("password_hash", String),  # argon2id; none before the invitation was used
    Column("is_disabled", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float),
)

tokens = Table(  # of machines; the token itself is shown once and is not kept
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("user", String, nullable=False),
    Column("label", String, nullable=False),
    Column("role", String, nullable=False),
    Column("projects", Text),  # a JSON list; none: all that its owner may see
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("used_at", Float),
    Column("revoked_at", Float),
    Index("tokens_by_user", "user"),
)

sessions = Table(  # of browsers
    "sessions",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("user", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Index("sessions_by_user", "user"),
)

links = Table(  # each good for one visit: the first admin, an invitation, a new password
    "links",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("kind", String, nullable=False),  # first | invitation | reset
    Column("user", String),  # none: whoever follows it chooses the name
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Index("links_by_user", "user"),
)

attempts = Table(  # failed logins of the last minutes, by name and by address
    "attempts",
    metadata,
    Column("key", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("begun_at", Float, nullable=False),
)

private_projects = Table(
    "private_projects",
    metadata,
    Column("project", String, primary_key=True),
    Column("created_at", Float, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("project", String, primary_key=True),
    Column("user", String, primary_key=True),
    Column("created_at", Float, nullable=False),
    Index("members_by_user", "user"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("who", String, nullable=False),
    Column("what", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
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
QUEUE_TABLES = [queue, workers, paused_projects]
ACCOUNTS_TABLES = [users, tokens, sessions, links, attempts, private_projects, members, audit]
