"""The door to the runs of a team's server.

What this machine executes lies in a home of its own until it has arrived there: run folders with their journals, files
by content. Supervisors work in it as in any home and deliver from it; a server that is away is no reason to stop.
What is only read (`folder`, files) is copied into the same home when it is asked for.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from runyard.artifacts.store import Uploaded
from runyard.client.brought import Brought
from runyard.client.client import Client
from runyard.client.machine import read_machine
from runyard.client.remote import spool
from runyard.client.remote.artifacts import RemoteArtifacts, files_of
from runyard.client.remote.checkpoints import Bringing, fetch
from runyard.client.remote.index import RemoteIndex
from runyard.client.remote.queue import RemoteQueue
from runyard.client.remote.reservations import RemoteReservations
from runyard.client.remote.transport import REST_S, Transport, place
from runyard.errors import NotFound, ServerAway, ServiceError, UsageError
from runyard.index import RunRow
from runyard.journal import EDITS, Home, RunFolder
from runyard.journal.events import Event
from runyard.journal.pieces import Piece, Receipt, is_stream
from runyard.queue import Placement
from runyard.records import RunId, RunSpec, decode_spec, encode_spec
from runyard.servers import Server

T = TypeVar("T")


class JournalPlace(msgspec.Struct, frozen=True, array_like=True):
    """A journal that a server keeps; edits belong to attempt 0."""

    attempt: int
    stream: str
    size_bytes: int


class RemoteClient(Client):
    """Runs of a server. One thread asks it, another one may store files; after a fork the child opens its own."""

    rest_s = REST_S
    artifacts: RemoteArtifacts

    def __init__(self, home: Home, server: Server) -> None:
        self.home = home
        self.server = server
        self.transport = Transport(server)
        self.index = RemoteIndex(self.transport)
        self.queue = RemoteQueue(self.transport)
        self.reservations = RemoteReservations(self.transport)
        self._bringing: dict[tuple[str, int], Bringing] = {}
        self.artifacts = RemoteArtifacts(home.artifacts, home.path / "waiting", self.transport)

    def close(self) -> None:
        """Let go of the connection."""
        self.transport.close()

    def refresh(self) -> None:
        """Bring what this machine has not delivered yet, as far as it goes; the server keeps its index true itself."""
        try:
            spool.sync(self)
        except ServerAway:
            pass  # the question that follows will say so

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        self.require_here("reindex")
        return 0

    def require_here(self, command: str) -> None:
        raise UsageError(
            f"`runyard {command}` works where the home is: run it on the machine of {self.server.url}, "
            "or with RUNYARD_URL=local for the home of this machine."
        )

    # ---- submitting ----

    def submit(self, specs: Sequence[RunSpec]) -> None:
        """Create runs. Those for the queue need the server; one that starts here is told to it as soon as possible."""
        own = [spec for spec in specs if not spec.is_queued]
        for spec in own:
            self._make_folder(spec)
        try:
            self.announce(specs)
        except ServerAway:
            if len(own) < len(specs):
                raise

    def announce(self, specs: Sequence[RunSpec], *, into_queue: bool = True) -> list[RunId]:
        """Create runs there. Their code goes first, unless they are not for the queue: then it is there already."""
        if into_queue:
            for snapshot in {spec.code.snapshot for spec in specs if spec.code.snapshot}:
                self.artifacts.bring_these(files_of(snapshot, self.artifacts))
            self.artifacts.bring_these({spec.code.diff for spec in specs if spec.code.diff})
        return self._call("announce", list[RunId], specs=list(specs), into_queue=into_queue)

    # ---- the life of an attempt ----

    def spec_there(self, run_id: str) -> RunSpec:
        """What was asked for, as the server has it."""
        return self._call("spec", RunSpec, run_id=run_id)

    def spec(self, run_id: str) -> RunSpec:
        own = self.home.run(run_id).spec
        try:
            return decode_spec(own.read_bytes())
        except FileNotFoundError:
            return self._at_home_here(self.spec_there(run_id))

    def receive(self, run_id: str) -> RunSpec:
        """What was asked for, with a folder on this machine to execute it in."""
        spec = self.spec(run_id)
        self._make_folder(spec)
        return spec

    def folder(self, run_id: str) -> RunFolder:
        """A copy of the run's folder as the server has it now, to read."""
        folder = RunFolder(self.home.pulled / self.home.run(run_id).id)
        spec = self.spec_there(run_id)
        places = self.transport.ask(f"/runs/{place(run_id)}/journals", list[JournalPlace])
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.spec.write_bytes(encode_spec(spec))
        for each in places:
            self._pull(folder, each)
        return folder

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        return self.index.offset(run_id, attempt, stream)

    def deliver(self, pieces: Sequence[Piece]) -> list[Receipt]:
        """Send pieces of journals. Edits stay: they come from the server, and are fetched when there are new ones."""
        ours = [piece for piece in pieces if piece.stream != EDITS]
        receipts = self._send(ours)
        unknown = {p.run_id for p, receipt in zip(ours, receipts, strict=True) if receipt.kind == NotFound.__name__}
        if unknown:
            self.announce([decode_spec(self.home.run(run_id).spec.read_bytes()) for run_id in unknown])
            receipts = self._send(ours)
        for piece, receipt in zip(ours, receipts, strict=True):
            self._pull_edits(piece.run_id, receipt.edits_bytes)
        taken = iter(receipts)
        return [Receipt(p.offset + len(p.data)) if p.stream == EDITS else next(taken) for p in pieces]

    def bring_files(self) -> bool:
        return self.artifacts.bring()

    def bring_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        key = (run_id, attempt)
        if key not in self._bringing:
            largest = read_machine().checkpoints_largest_bytes
            folder = self.home.run(run_id)
            self._bringing[key] = Bringing(folder, attempt, self.transport, largest_bytes=largest)
        return self._bringing[key].bring()

    def fetch_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        return fetch(self.home.run(run_id), attempt, self.brought_checkpoints(run_id), self.transport)

    def brought_checkpoints(self, run_id: str) -> Brought | None:
        return self._call("brought_checkpoints", Brought | None, run_id=run_id)  # type: ignore[arg-type]  # a union is as good as a class

    def uploaded_checkpoints(self, run_id: str, attempt: int, contents: list[str]) -> list[Uploaded]:
        return self._call("uploaded_checkpoints", list[Uploaded], run_id=run_id, attempt=attempt, contents=contents)

    def keep_checkpoints(self, run_id: str, attempt: int, manifest: str) -> None:
        self._call("keep_checkpoints", type(None), run_id=run_id, attempt=attempt, manifest=manifest)

    def heartbeat(self, run_id: str, worker_id: str, attempt: int) -> None:
        self._call("heartbeat", type(None), run_id=run_id, worker_id=worker_id, attempt=attempt)

    def attempt_ended(self, run_id: str) -> None:
        self._call("settle", RunRow, run_id=run_id)

    def settle(self, run_id: str, *, given_up: int = 0) -> RunRow:
        return self._call("settle", RunRow, run_id=run_id, given_up=given_up)

    def give_up(self, run_id: str, attempt: int, why: str) -> None:
        self._call("give_up", type(None), run_id=run_id, attempt=attempt, why=why)

    def reap(self, now: float) -> list[str]:
        """Bring what attempts of this machine left whose supervisor is gone, and say that they ended."""
        return spool.sync(self)

    # ---- what people change ----

    def request_stop(self, run_id: str, *, why: str = "", by: str | None = None) -> str:
        return self._call("request_stop", str, run_id=run_id, why=why)

    def retry(self, run_id: str, *, by: str | None = None) -> None:
        self._call("retry", type(None), run_id=run_id)

    def hold(self, run_ids: Sequence[str], *, why: str = "", by: str | None = None) -> int:
        return self._call("hold", int, run_ids=list(run_ids), why=why)

    def release(self, run_ids: Sequence[str], *, by: str | None = None) -> int:
        return self._call("release", int, run_ids=list(run_ids))

    def set_priority(self, run_id: str, priority: int, *, by: str | None = None) -> None:
        self._call("set_priority", type(None), run_id=run_id, priority=priority)

    def place(self, places: Sequence[Placement], *, by: str | None = None) -> None:
        self._call("place", type(None), places=list(places))

    def rename(self, run_id: str, name: str) -> None:
        self._call("rename", type(None), run_id=run_id, name=name)

    def tag(self, run_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        self._call("tag", type(None), run_id=run_id, add=list(add), remove=list(remove))

    def note(self, run_id: str, text: str) -> None:
        self._call("note", type(None), run_id=run_id, text=text)

    def trash(self, run_ids: Sequence[str]) -> None:
        self._call("trash", type(None), run_ids=list(run_ids))

    def restore(self, run_ids: Sequence[str]) -> None:
        self._call("restore", type(None), run_ids=list(run_ids))

    def edit(self, run_id: str, event: Event, *, durable: bool = True) -> None:
        raise NotImplementedError("edits of a server's runs are made by its own calls")

    # ---- how ----

    def _call(self, method: str, kind: "type[T]", **arguments: object) -> T:
        return self.transport.tell(f"/calls/client.{method}", arguments, kind)

    def _send(self, pieces: Sequence[Piece]) -> list[Receipt]:
        if not pieces:
            return []
        receipts = self.transport.tell("/deliveries", pieces, list[Receipt])
        self.rest_s = self.transport.rest_s
        return receipts

    def _at_home_here(self, spec: RunSpec) -> RunSpec:
        """The run as this machine executes it: where its project's folder is not here, it works in one of our own."""
        if not spec.project_dir or os.path.isdir(spec.project_dir):
            return spec
        folder = self.home.work(spec.project)
        folder.mkdir(parents=True, exist_ok=True)
        return msgspec.structs.replace(spec, project_dir=str(folder))

    def _make_folder(self, spec: RunSpec) -> None:
        """The folder appears with its run.json or not at all."""
        folder = self.home.run(spec.id)
        if folder.spec.exists():
            return
        draft = self.home.runs / f"draft-{spec.id}-{os.getpid()}"
        draft.mkdir(exist_ok=True)  # in a container, whoever was killed here had the same number
        try:
            (draft / "run.json").write_bytes(encode_spec(spec))
            os.rename(draft, folder.path)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not folder.spec.exists():
                raise

    def _pull(self, folder: RunFolder, found: JournalPlace) -> None:
        if found.stream == EDITS:
            path = folder.edits
        elif not is_stream(found.stream):
            raise ServiceError(
                f"The server names a journal {found.stream[:60]!r}, which is no name of one. Nothing was written. "
                "Is it a Runyard server?"
            )
        else:
            attempt = folder.attempt(found.attempt)
            attempt.path.mkdir(parents=True, exist_ok=True)
            path = attempt.journal(found.stream)
        self._append(folder.id, found, path)

    def _pull_edits(self, run_id: str, size: int) -> None:
        """Supervisors look for stop requests in the folder of the run."""
        folder = self.home.run(run_id)
        if folder.path.is_dir():
            self._append(run_id, JournalPlace(0, EDITS, size), folder.edits)

    def _append(self, run_id: str, found: JournalPlace, path: Path) -> None:
        """Fetch what a copy lacks. A journal that became shorter was repaired: it is fetched anew."""
        known = path.stat().st_size if path.exists() else 0
        if known == found.size_bytes:
            return
        address = f"/runs/{place(run_id)}/journals/{found.attempt}/{place(found.stream)}"
        offset = known if known < found.size_bytes else 0
        data = self.transport.request("GET", address, params={"offset": offset})
        with path.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
            file.truncate()
