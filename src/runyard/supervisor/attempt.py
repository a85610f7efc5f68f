"""Starting the supervision of one attempt: the child first, everything slow afterwards."""

import fcntl
import os
import signal
import time
from pathlib import Path

from runyard.errors import ConflictError, LeaseLost, NotFound
from runyard.hosts import boot_id, host_name, user_name
from runyard.journal import HOST, MAIN, Attempt, Home, JournalWriter, RunFolder, is_untouched
from runyard.journal.events import Ended, Started
from runyard.records import RunSpec, decode_spec
from runyard.supervisor.launch import adopt_orphans, child_environment, output_pipe, spawn
from runyard.supervisor.oom import oom_kills
from runyard.supervisor.order import LaunchOrder
from runyard.supervisor.protocol import SupervisorClient
from runyard.supervisor.signals import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runyard.supervisor.waiting import Waiting

    Connect = Callable[[], SupervisorClient]

_LOCK_WAIT_S = 2.0
HEARTBEAT_S = 15.0  # while checkpoints are fetched; a quarter of a lease


def supervise(order: LaunchOrder, *, waiting: "Waiting | None" = None, connect: "Connect | None" = None) -> Ended:
    """Run one attempt from start to end: spawn the child, watch it, and tell how it ended.

    Call it in the main thread, else signals cannot be heeded. On return no process of the run is alive.

    Args:
        waiting: a training process that may turn out to be what this order needs; else it is ended.
        connect: opens the client, which is closed at the end; by default the home on this machine.

    Raises:
        NotFound: there is no such run.
        ConflictError: this attempt was started before.
    """
    home = Home.open(order.home)
    attempt, spec = _find(home.run(order.run_id), order.attempt)
    with Signals() as signals:
        journal = open_journal(attempt)
        try:
            return _run_child(order, spec, attempt, journal, signals, connect or _connect_to(home), waiting)
        finally:
            journal.close()


def watch(run_dir: Path, pid: int, *, started: float | None = None, connect: "Connect | None" = None) -> Ended:
    """Watch a process that called `runyard.start_run()`; return when its run, or the process itself, has ended.

    Args:
        started: when the process started, in seconds since 1970; a guard against numbers that are used again.

    Raises:
        NotFound: there is no such run.
        ConflictError: somebody watches it already.
    """
    from runyard.supervisor.subject import find_watched
    from runyard.supervisor.supervision import Commission, Supervision

    attempt, spec = _find(RunFolder(run_dir), 1)
    home = Home(run_dir.parent.parent)
    order = LaunchOrder(run_id=spec.id, home=str(home.path), attempt=attempt.number)
    with Signals() as signals:
        journal = open_journal(attempt)
        try:
            subject = find_watched(pid, started=started, journal=attempt.journal(MAIN))
            journal.event(first_words(order, spec, attempt))
            return Supervision(
                Commission(
                    order=order,
                    spec=spec,
                    attempt=attempt,
                    journal=journal,
                    subject=subject,
                    signals=signals,
                    connect=connect or _connect_to(home),
                    environment=dict(os.environ),  # the one that it inherited from the process it watches
                    oom_before=oom_kills(),
                    began=time.monotonic(),
                )
            ).run()
        finally:
            journal.close()


def _find(folder: RunFolder, number: int) -> tuple[Attempt, RunSpec]:
    try:
        spec = decode_spec(folder.spec.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"There is no run in {folder.path}. `runyard runs` lists the runs.") from None
    return folder.attempt(number), spec


def open_journal(attempt: Attempt) -> JournalWriter:
    """Create host.journal and lock it, which tells everybody on this machine that the attempt is supervised.

    Raises:
        ConflictError: it was started before.
        OSError: the disk did not take it.
    """
    attempt.path.mkdir(parents=True, exist_ok=True)
    path = attempt.journal(HOST)
    problem = f"Attempt {attempt.number} of run {attempt.run.id} was started before; a new try needs a new attempt."
    if path.exists():
        raise ConflictError(problem)
    journal = JournalWriter(path, run=attempt.run.id, attempt=attempt.number, stream=HOST)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(journal.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # somebody just asks whether it is supervised, or another supervisor was faster
            if time.monotonic() > deadline:
                journal.close()
                raise ConflictError(problem) from None
            time.sleep(0.001)
        else:
            break
    if not is_untouched(path):  # somebody gave us up between our look and our lock
        journal.close()
        raise ConflictError(problem)
    return journal


def _run_child(
    order: LaunchOrder,
    spec: RunSpec,
    attempt: Attempt,
    journal: JournalWriter,
    signals: Signals,
    connect: "Connect",
    waiting: "Waiting | None",
) -> Ended:
    if order.worker_id is not None and attempt.number > 1 and _may_have_left_checkpoints_elsewhere(order, attempt):
        ended = _fetch_checkpoints(order, attempt, journal, signals, connect)
        if ended is not None:
            return ended
    others = _children_before() if order.foreground else frozenset()
    environment = child_environment(order, run_dir=attempt.run.path)
    oom_before = oom_kills()
    journal.event(first_words(order, spec, attempt))
    began = time.monotonic()
    if waiting is not None and waiting.begin(order, spec, run_dir=attempt.run.path, signals=signals):
        pid, reader, is_warm = waiting.pid, waiting.output_fd, True
    else:
        try:
            pid, reader, is_warm = *_start_cold(environment, order), False
        except OSError as error:
            return _not_started(journal, error)
    adopt_orphans(on=True)  # long before the child can have any

    # all that takes time to import comes after the child was started
    from runyard.supervisor.subject import Child
    from runyard.supervisor.supervision import Commission, Supervision

    try:
        return Supervision(
            Commission(
                order=order,
                spec=spec,
                attempt=attempt,
                journal=journal,
                subject=Child(pid, others=others),
                signals=signals,
                connect=connect,
                environment=environment,
                oom_before=oom_before,
                began=began,
                output_fd=reader,
                cpu_s={pid: _cpu_s(pid)} if is_warm else {},
            )
        ).run()
    except BaseException:
        _kill(pid)  # a mistake of ours must not leave a training behind that nobody watches
        raise
    finally:
        adopt_orphans(on=False)


def _fetch_checkpoints(
    order: LaunchOrder, attempt: Attempt, journal: JournalWriter, signals: Signals, connect: "Connect"
) -> Ended | None:
    """Bring here what the attempt before left on another machine; how this one ended if it may not begin any more."""
    from runyard.journal.events import Warned
    from runyard.supervisor.checkpoints import fetch  # late, as above: most attempts are the first
    from runyard.supervisor.endings import Cause, CauseKind, Facts, tell_end

    client, worker_id = connect(), order.worker_id
    assert worker_id is not None  # our caller looked
    received: list[int] = []

    def beat() -> None:
        try:
            client.heartbeat(order.run_id, worker_id, order.attempt)
        except LeaseLost:
            raise
        except Exception:  # the server may be away; then nobody else can get the run
            pass

    def is_wanted() -> bool:
        received.extend(signals.take())
        return not received

    cause: Cause | None = None
    try:
        fetch(
            client,
            run_id=order.run_id,
            attempt=order.attempt,
            beat=beat,
            is_wanted=is_wanted,
            warn=lambda text: journal.event(Warned(time_ns=time.time_ns(), text=text)),
            heartbeat_s=HEARTBEAT_S,
        )
        if received:
            why = "its supervisor was told to leave before the training began"
            cause = Cause(kind=CauseKind.SIGNAL, why=why)
    except LeaseLost as problem:
        cause = Cause(kind=CauseKind.LEASE_LOST, why=str(problem))
    finally:
        client.close()
    if cause is None:
        return None
    journal.event(first_words(order, decode_spec(attempt.run.spec.read_bytes()), attempt))
    ended = tell_end(Facts(cause=cause), time_ns=time.time_ns())
    journal.event(ended)
    return ended


def _start_cold(environment: dict[str, str], order: LaunchOrder) -> tuple[int, int]:
    """The pid of a fresh training process, and the end to read from of its output."""
    reader, writer = output_pipe()
    try:
        return spawn(environment, output_fd=writer, inherited_fds=order.lock_fds, python=order.python), reader
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)


def _cpu_s(pid: int) -> float:
    """The processor time, in seconds, that a process has used before its run began."""
    import psutil  # late: it is slow to import, and a process that waited has given time for that

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:  # it ended at once
        return 0.0
    return float(times.user + times.system)


def _not_started(journal: JournalWriter, error: OSError) -> Ended:
    from runyard.supervisor.endings import Facts, tell_end

    ended = tell_end(Facts(start_problem=f"the process could not be started: {error}"), time_ns=time.time_ns())
    journal.event(ended)
    return ended


def first_words(order: LaunchOrder, spec: RunSpec, attempt: Attempt) -> Started:
    """The first words of a supervisor."""
    return Started(
        time_ns=time.time_ns(),
        host=host_name(),
        user=user_name(),
        pid=os.getpid(),
        boot_id=boot_id(),
        command=spec.command,
        devices=order.devices,
        device_names=order.device_names,
        worker=order.worker_id or "",
        resumed_from=attempt.number - 1 if attempt.number > 1 and _has_checkpoints(attempt) else None,
        data=order.data,
    )


def _kill(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
        os.waitpid(leader, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # it has ended already


def _children_before() -> frozenset[int]:
    from runyard.supervisor.tree import own_children  # late: only the process of `run.py train` may have any

    return own_children()


def _has_checkpoints(attempt: Attempt) -> bool:
    try:
        return bool(os.listdir(attempt.run.checkpoints))
    except OSError:
        return False


def _may_have_left_checkpoints_elsewhere(order: LaunchOrder, attempt: Attempt) -> bool:
    return attempt.run.brought.is_dir() or Home(Path(order.home)).server_url is not None


def _connect_to(home: Home) -> "Connect":
    def connect() -> SupervisorClient:
        from runyard.client import open_client  # late: the database library takes a quarter of a second

        return open_client(home)

    return connect
