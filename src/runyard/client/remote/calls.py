"""What can be asked of a server by name: methods of client, index and queue, with the types of their arguments.

The table is the whole surface: a method that is not in it cannot be called. Arguments travel by name, results as
`wire` writes them. What only the server knows is never taken from a caller: the time, and who is asking.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_type_hints

import msgspec

from runyard.artifacts import ArtifactStore
from runyard.client import client as clients
from runyard.client.client import Client
from runyard.client.reservations import Reservations
from runyard.errors import UsageError
from runyard.index import Index
from runyard.queue import Queue

MOST_ROWS = 1000  # runs in one answer; whoever wants more asks for page after page

_INJECTED = ("now", "by", "user")
_OF_THE_SERVER = (*_INJECTED, "connection", "self")


class Call(NamedTuple):
    """One method.

    Attributes:
        name: "index.find".
        takes: a struct with its arguments.
        changes: whether it changes anything.
        injected: the arguments that the server adds: the time, and who is asking.
        does: one sentence.
    """

    name: str
    takes: type[msgspec.Struct]
    changes: bool
    injected: tuple[str, ...]
    does: str

    def run(self, client: Client, arguments: msgspec.Struct, *, now: float) -> Any:
        """Call it on a home of the server, in the hands of whoever `client` acts for.

        Raises:
            NotFound: a run is named that they may not see.
            NotAllowed: something would be changed about a project that is not open to them.
            UsageError: an argument is out of its range.
            RunyardError: as the method does.
        """
        for named in ("run_id", "other", "run_ids"):
            for run_id in _listed(getattr(arguments, named, ())):
                client.index.require(run_id)
        if self.changes and isinstance(project := getattr(arguments, "project", None), str):
            client.index.scope.require(project)
        part, _, method = self.name.partition(".")
        target = client if part == "client" else getattr(client, part)
        given = {"now": now, "by": client.by, "user": client.by}
        asked = msgspec.structs.asdict(arguments) | {name: given[name] for name in self.injected}
        try:
            return getattr(target, method)(**asked)
        except (ValueError, ArithmeticError, TypeError) as problem:  # a slip in our own code; here, anybody may ask
            raise UsageError(f"{self.name} cannot be called with this: {problem}.") from None


def _call(name: str, *, changes: bool) -> Call:
    part, _, method = name.partition(".")
    function: Callable[..., Any] = getattr(_PARTS[part], method)
    hints = get_type_hints(function, vars(clients) | _HIDDEN)
    parameters = inspect.signature(function).parameters
    fields = [
        (each.name, hints[each.name], *(() if each.default is each.empty else (each.default,)))
        for each in parameters.values()
        if each.name not in _OF_THE_SERVER
    ]
    return Call(
        name=name,
        takes=msgspec.defstruct(name.replace(".", "_"), fields, kw_only=True, forbid_unknown_fields=True),
        changes=changes,
        injected=tuple(each for each in _INJECTED if each in parameters),
        does=inspect.getdoc(function).partition("\n")[0] if function.__doc__ else name,  # type: ignore[union-attr]  # it has one
    )


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _hidden() -> dict[str, Any]:
    """Names that signatures use and their modules import late."""
    from runyard.index.series import Buckets, Series

    return {"Series": Series, "Buckets": Buckets}


_HIDDEN = _hidden()
_PARTS = {"client": Client, "index": Index, "queue": Queue, "artifacts": ArtifactStore, "reservations": Reservations}
_READS = [
    "client.spec",
    "client.brought_checkpoints",
    "client.uploaded_checkpoints",
    "index.find",
    "index.count",
    "index.get",
    "index.resolve",
    "index.known",
    "index.failure",
    "index.environment",
    "index.offset",
    "index.keys",
    "index.series",
    "index.series_many",
    "index.bucketed",
    "index.media",
    "index.artifacts",
    "artifacts.missing",
    "artifacts.uploaded",
    "reservations.active",
    "queue.rows",
    "queue.row",
    "queue.counts",
    "queue.paused",
    "queue.startable",
    "queue.next_fitting",
    "queue.workers",
    "queue.waiting_of_grid",
    "queue.to_top",
    "queue.to_bottom",
    "queue.move_before",
    "queue.leases_of_worker",
    "queue.leases_of_host",
]
_CHANGES = [
    "client.announce",
    "client.settle",
    "client.heartbeat",
    "client.keep_checkpoints",
    "client.give_up",
    "client.request_stop",
    "client.retry",
    "client.hold",
    "client.release",
    "client.set_priority",
    "client.place",
    "client.rename",
    "client.tag",
    "client.note",
    "client.trash",
    "client.restore",
    "reservations.reserve",
    "reservations.end",
    "queue.claim_next",
    "queue.give_back",
    "queue.refuse",
    "queue.reconsider",
    "queue.hold",
    "queue.remove",
    "queue.pause",
    "queue.resume",
    "queue.see_worker",
    "queue.forget_worker",
]
CALLS = {
    call.name: call for call in [_call(n, changes=False) for n in _READS] + [_call(n, changes=True) for n in _CHANGES]
}
