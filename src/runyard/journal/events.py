"""What a journal can tell besides rows of numbers: one struct an event.

On disk an event is a MessagePack map with its name under "e". A reader skips names it does not
know and fields it does not know, so that events can grow without a new format version.
`time_ns` is in nanoseconds since 1970, UTC.
"""

from typing import Annotated, Any

import msgspec

from runyard.records import DataSource

# what databases can hold; a record with more than that was never written by us
Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="e"):
    time_ns: Int


# ---- written by the training process (main.journal, rank<k>.journal) ----


class Opened(Event, frozen=True, kw_only=True, tag="opened"):
    """The training process is there."""

    pid: Int
    rank: Int = 0
    world_size: Int = 1


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The training code returned."""


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """The training code raised."""

    type: str
    message: str
    traceback: str
    fingerprint: str  # equal for the same exception at the same place, whatever the values in its message
    out_of_memory: str = ""  # "", "host" or "gpu"


class StopObeyed(Event, frozen=True, kw_only=True, tag="stop_obeyed"):
    """The training code left because it was asked to, or because it stopped itself with StopRun."""

    reason: str = ""
    signalled: bool = False  # a SIGTERM had come before; without one the training stopped itself


class Tagged(Event, frozen=True, kw_only=True, tag="tagged"):
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    by: str = ""  # empty: the training code


class Noted(Event, frozen=True, kw_only=True, tag="noted"):
    text: str
    by: str = ""


class Configured(Event, frozen=True, kw_only=True, tag="configured"):
    """Settings that became known after the run was asked for; a later one replaces an earlier one of the same key."""

    values: dict[str, Any]  # by dotted key, as `run.json` would have them
    texts: dict[str, str] = {}  # exactly as another system wrote them, by its own keys


class Labelled(Event, frozen=True, kw_only=True, tag="labelled"):
    """Names with a text each, as other systems have them; a later one replaces an earlier one of the same name."""

    put: dict[str, str] = {}
    remove: tuple[str, ...] = ()
    by: str = ""


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """`done` of `total` units; the ETA follows from the first and the latest of these."""

    done: float
    total: float
    label: str = ""


class Media(Event, frozen=True, kw_only=True, tag="media"):
    """An image, sound, table, histogram, curve or the like at a step; small enough to live in the journal."""

    key: str
    step: Int
    kind: str  # image | audio | video | table | histogram | confusion_matrix | curve | figure | text
    mime: str
    data: bytes
    meta: dict[str, Any] = {}  # JSON-like, e.g. {"width": 28, "height": 28, "caption": "…"}


class FileLogged(Event, frozen=True, kw_only=True, tag="file"):
    """A file under the attempt's `files/` waits for its supervisor to move it into the artifact store."""

    name: str  # relative, with /, checked: no "..", no leading /
    kind: str = "artifact"  # artifact | model | predictions
    meta: dict[str, Any] = {}


class ChildBegan(Event, frozen=True, kw_only=True, tag="child_began"):
    """A process of the run began a run below it in the same home; the supervisor of this one watches that, too."""

    run: str
    pid: Int


class Warned(Event, frozen=True, kw_only=True, tag="warned"):
    """Something a person should know, e.g. that points were dropped."""

    text: str


# ---- written by the supervisor (host.journal) ----


class Started(Event, frozen=True, kw_only=True, tag="started"):
    """An attempt begins: where, by whom, with what. A second one says that it goes on after it had ended."""

    host: str
    user: str
    pid: Int
    boot_id: str = ""
    command: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()  # UUIDs of GPUs, or "cpu-<n>"
    device_names: tuple[str, ...] = ()
    worker: str = ""
    resumed_from: Int | None = None  # the attempt before, if it left checkpoints
    data: dict[str, str] = {}  # config key, or --data -> the path that is used here instead of the one asked for


class Environment(Event, frozen=True, kw_only=True, tag="environment"):
    """What the attempt ran in; secrets are masked before they get here."""

    python: str = ""
    platform: str = ""
    cpu: str = ""
    cpu_count: int = 0
    memory_bytes: int = 0
    gpus: tuple[str, ...] = ()
    driver: str = ""
    packages: dict[str, str] = {}
    variables: dict[str, str] = {}


class CodeSeen(Event, frozen=True, kw_only=True, tag="code"):
    """The code as git tells it, of a run whose run.json does not say (`runyard.start_run`)."""

    commit: str
    branch: str = ""
    is_dirty: bool = False
    diff: str = ""  # SHA-256 of the artifact that holds `git diff HEAD`


class DataSeen(Event, frozen=True, kw_only=True, tag="data"):
    """The data that the attempt found, as far as the config names them."""

    sources: tuple[DataSource, ...]


class Output(Event, frozen=True, kw_only=True, tag="output"):
    """Text that the process printed, both streams in the order of their arrival, `\\r` collapsed."""

    text: str


class OutputDropped(Event, frozen=True, kw_only=True, tag="output_dropped"):
    size_bytes: Int


class ArtifactStored(Event, frozen=True, kw_only=True, tag="artifact"):
    name: str
    sha256: str
    size_bytes: Int
    kind: str = "artifact"
    meta: dict[str, Any] = {}


class ArtifactRemoved(Event, frozen=True, kw_only=True, tag="artifact_removed"):
    """The file of this name, or all files below it, that the same stream told before are gone."""

    name: str


class Ended(Event, frozen=True, kw_only=True, tag="ended"):
    """How the attempt ended. `state` is a RunState."""

    state: str
    reason: str = ""
    exit_code: Int | None = None
    signal: Int | None = None
    fingerprint: str = ""
    attempt: Int = 0  # set only in edits.journal, where a reaper tells the end of an attempt whose supervisor is gone


# ---- written by people and by the queue (edits.journal) ----


class Renamed(Event, frozen=True, kw_only=True, tag="renamed"):
    name: str
    by: str = ""


class Filed(Event, frozen=True, kw_only=True, tag="filed"):
    """The run answers another question than it was made for: its experiment now."""

    experiment: str
    by: str = ""


class StopRequested(Event, frozen=True, kw_only=True, tag="stop_requested"):
    """Stop the given attempt, or cancel the run if it waits."""

    by: str
    why: str = ""
    attempt: Int = 0  # 0: it was waiting


class Requeued(Event, frozen=True, kw_only=True, tag="requeued"):
    """Try again after attempt `after_attempt` ended (0: it never started)."""

    by: str
    after_attempt: Int


class Held(Event, frozen=True, kw_only=True, tag="held"):
    by: str
    why: str = ""


class Released(Event, frozen=True, kw_only=True, tag="released"):
    by: str


class Reordered(Event, frozen=True, kw_only=True, tag="reordered"):
    """A new priority, a new place in the queue, or both."""

    by: str
    priority: Int | None = None
    position: float | None = None


class Trashed(Event, frozen=True, kw_only=True, tag="trashed"):
    by: str


class Restored(Event, frozen=True, kw_only=True, tag="restored"):
    by: str


# ---- written by neighbours: trackers whose language we speak (<home>/mlflow-….journal) ----


class Kept(Event, frozen=True, kw_only=True, tag="kept"):
    """Something of another tracker that belongs to no run; a later one of the same key replaces it."""

    key: str
    value: Any  # JSON-like; None: it is gone


class Brought(Event, frozen=True, kw_only=True, tag="brought"):
    """What follows came from a file of another tracker, from this byte of it on."""

    source: str
    offset: Int
    told: dict[str, str] = {}  # what its reader must remember of all before, besides what earlier ones told


AnyEvent = (
    Opened | Finished | Failed | StopObeyed | Tagged | Noted | Configured | Labelled | Progress | Media | FileLogged
    | ChildBegan | Warned | Started | Environment | CodeSeen | DataSeen | Output | OutputDropped | ArtifactStored
    | ArtifactRemoved | Ended
    | Renamed | Filed | StopRequested | Requeued | Held | Released | Reordered | Trashed | Restored
    | Kept | Brought
)  # fmt: skip

KNOWN_EVENTS: frozenset[str] = frozenset(str(member.__struct_config__.tag) for member in AnyEvent.__args__)

encode_event = msgspec.msgpack.Encoder().encode
decode_event = msgspec.msgpack.Decoder(AnyEvent).decode
