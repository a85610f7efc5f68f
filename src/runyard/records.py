"""The nouns of Runyard: frozen, without any I/O.

They are msgspec structs and not dataclasses, because `run.json` is exactly one of them and
because they are imported inside every training process, where `dataclasses` alone costs 10 ms.
"""

import os
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

import msgspec

RunId = NewType("RunId", str)
WorkerId = NewType("WorkerId", str)

RUN_FORMAT = 1  # version of run.json

REPRODUCTION = "reproduction"  # the tag of runs that repeat another one, to see whether the same comes out

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread
_ID_LENGTH = 10  # 50 bits: among a million runs the chance of any clash is 1 in 2,000, and mkdir refuses the clash


class RunState(StrEnum):
    """Where a run stands, told truthfully."""

    QUEUED = "QUEUED"  # waits for a slot (also: waits to resume after an interruption)
    HELD = "HELD"  # waits, but must not start before somebody releases it
    RUNNING = "RUNNING"  # an attempt is on its way
    COMPLETED = "COMPLETED"  # the training code returned
    FAILED = "FAILED"  # the training code raised, exited non-zero or crashed
    OUT_OF_MEMORY = "OUT_OF_MEMORY"  # the host's or the GPU's memory was not enough
    TIMED_OUT = "TIMED_OUT"  # stopped by its time limit
    STOPPED = "STOPPED"  # stopped or cancelled by somebody, who is named in the reason
    INTERRUPTED = "INTERRUPTED"  # ended from outside: killed, host restarted, supervisor gone
    LOST = "LOST"  # no contact, and nothing known about the end

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in _ENDED

    @property
    def is_resumable(self) -> bool:
        """Whether a queued run goes back to the queue by itself after ending so."""
        return self in (RunState.INTERRUPTED, RunState.LOST)


_ENDED = frozenset(RunState) - {RunState.QUEUED, RunState.HELD, RunState.RUNNING}

# The one table of allowed changes. A retry leads back to QUEUED from every end.
ALLOWED_CHANGES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.HELD, RunState.RUNNING, RunState.STOPPED}),
    RunState.HELD: frozenset({RunState.QUEUED, RunState.STOPPED}),
    RunState.RUNNING: _ENDED | {RunState.QUEUED},
    **{state: frozenset({RunState.QUEUED}) for state in _ENDED},
}


class Resources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run needs while it runs."""

    gpus: int | None = None  # None: one GPU where the machine has any, else one CPU slot; 0: a CPU slot
    gpu_memory_bytes: int | None = None
    cpus: float | None = None
    memory_bytes: int | None = None
    time_limit_s: float | None = None


class CodeState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The code a run was asked for with."""

    snapshot: str | None = None  # SHA-256 of the stored snapshot's manifest
    code_id: str | None = None  # SHA-256 over src/ without config and visualization: what decides "the same run"
    commit: str | None = None
    branch: str | None = None
    is_dirty: bool = False
    diff: str | None = None  # SHA-256 of the artifact that holds `git diff HEAD`


class DataSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The files at one path of data as a run found them. Each fingerprint is a SHA-256 over all of them."""

    key: str  # what names the path: a dotted key of the config, "--data" or "tests/data"
    path: str
    files: int = 0
    size_bytes: int = 0
    names: str = ""  # names and sizes
    times: str = ""  # names, sizes and times of change
    contents: str = ""  # names and contents; empty where they are too large to be read
    listing: str = ""  # SHA-256 of the artifact that lists the files
    problem: str = ""  # why nothing is known, as a sentence

    @property
    def version(self) -> str:
        """The first 12 characters of the fingerprint of what is known: contents, or else names and sizes."""
        return (self.contents or self.names)[:12]


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for: the whole content of run.json, written once and never changed."""

    format: int = RUN_FORMAT
    id: RunId
    project: str
    name: str
    created_at: datetime  # aware, UTC
    kind: str = "train"  # "train": started by us; "external": a process that called runyard.start_run()
    experiment: str | None = None  # the question; the name of a grid or of an experiment file
    grid: str | None = None  # id of the plan it was submitted with
    parent: str | None = None  # id of the run that started this one
    source: str = ""  # where another system keeps it, or kept it: "sacred:…", "mlflow:…"; empty: it is ours
    config: dict[str, Any] = {}
    config_id: str = ""  # identity of the config, 64 hex digits
    group: str = ""  # identity without the seed
    uncounted: tuple[str, ...] = ()  # dotted keys of the config that do not count for its identity
    changed: dict[str, Any] = {}  # dotted keys that differ from the project's default
    seed: int | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    user: str = ""
    host: str = ""
    project_dir: str = ""
    entry: str = "src.train:train"
    data: str | None = None
    data_roots: tuple[str, ...] = ()  # dotted keys of the config that hold paths of data
    reproduces: RunId | None = None  # the run that this one is to come out like
    command: tuple[str, ...] = ()
    code: CodeState = CodeState()
    resources: Resources = Resources()
    is_queued: bool = False  # goes through the queue, and returns there when it is interrupted
    retries: int = 5  # how often an interruption is followed by a new attempt
    priority: int = 0
    grace_s: float = 10.0  # from SIGTERM to SIGKILL


def new_run_id() -> RunId:
    """A random id of ten characters; the first four or five are enough for people."""
    return RunId("".join(_ID_ALPHABET[byte % 32] for byte in os.urandom(_ID_LENGTH)))


def run_id_from(digest: bytes) -> RunId:
    """The id that a digest of at least ten bytes gives, for runs that must be found again without a table of them."""
    return RunId("".join(_ID_ALPHABET[byte % 32] for byte in digest[:_ID_LENGTH]))


def is_run_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return len(text) == _ID_LENGTH and all(sign in _ID_ALPHABET for sign in text)


def encode_spec(spec: RunSpec) -> bytes:
    """The bytes of run.json: JSON, indented, so that a person can read it."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"


def decode_spec(data: bytes) -> RunSpec:
    """Read run.json.

    Raises:
        msgspec.ValidationError: the bytes are no run.json.
    """
    return msgspec.json.decode(data, type=RunSpec)


def tag_of(name: str, text: str) -> str:
    """A named text of another tracker as a tag: "stage=prod", or the name alone where there is no text."""
    return f"{name}={text}" if text else name
