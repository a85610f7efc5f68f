"""The table from facts to end states."""

import signal

import pytest

from runyard.journal.events import Failed, Finished, StopObeyed
from runyard.records import RunState
from runyard.supervisor.endings import Cause, CauseKind, Facts, tell_end

FINISHED = Finished(time_ns=1)
OBEYED = StopObeyed(time_ns=1)
BY_ADA = Cause(kind=CauseKind.REQUEST, by="ada", why="bad idea")
TIME_LIMIT = Cause(kind=CauseKind.TIME_LIMIT)


def failed(type: str = "ValueError", message: str = "bad lr", out_of_memory: str = "") -> Failed:
    return Failed(time_ns=1, type=type, message=message, traceback="…", fingerprint="f1", out_of_memory=out_of_memory)


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        (Facts(exit_code=0, closing=FINISHED), RunState.COMPLETED, ""),
        (
            Facts(signal=signal.SIGSEGV, closing=FINISHED),
            RunState.COMPLETED,
            "the training returned, but its process was then ended by SIGSEGV",
        ),
        (
            Facts(exit_code=120, closing=FINISHED),
            RunState.COMPLETED,
            "the training returned, but its process then exited with 120",
        ),
        (Facts(exit_code=1, closing=failed()), RunState.FAILED, "ValueError: bad lr"),
        (Facts(exit_code=1, closing=failed(message="")), RunState.FAILED, "ValueError"),
        (Facts(exit_code=1, closing=failed(message="x" * 900)), RunState.FAILED, f"ValueError: {'x' * 487}…"),
        (Facts(exit_code=3, closing=failed("SystemExit", "3")), RunState.FAILED, "exited with 3"),
        (Facts(exit_code=1, closing=failed("SystemExit", "no data")), RunState.FAILED, "exited: no data"),
        (
            Facts(exit_code=1, closing=failed("torch.OutOfMemoryError", "CUDA out of memory", "gpu")),
            RunState.OUT_OF_MEMORY,
            "the GPU's memory was not enough. torch.OutOfMemoryError: CUDA out of memory",
        ),
        (
            Facts(exit_code=1, closing=failed("MemoryError", "", "host")),
            RunState.OUT_OF_MEMORY,
            "the host's memory was not enough. MemoryError",
        ),
        (
            Facts(exit_code=1, closing=failed("RuntimeError", "a worker is killed by signal: Killed"), oom_killed=True),
            RunState.OUT_OF_MEMORY,
            "the kernel killed a process of the run for lack of memory. "
            "RuntimeError: a worker is killed by signal: Killed",
        ),
        (Facts(exit_code=1, closing=failed(), oom_killed=True), RunState.FAILED, "ValueError: bad lr"),
        (Facts(exit_code=0, closing=OBEYED, cause=BY_ADA), RunState.STOPPED, "by ada: bad idea"),
        (Facts(exit_code=0, closing=FINISHED, cause=BY_ADA), RunState.STOPPED, "by ada: bad idea"),
        (Facts(signal=signal.SIGKILL, cause=BY_ADA), RunState.STOPPED, "by ada: bad idea"),
        (Facts(signal=signal.SIGTERM, cause=Cause(kind=CauseKind.REQUEST, by="ada")), RunState.STOPPED, "by ada"),
        (Facts(exit_code=1, closing=failed(), cause=BY_ADA), RunState.STOPPED, "by ada: bad idea"),
        (Facts(exit_code=0, closing=OBEYED), RunState.STOPPED, "by the training itself"),
        (
            Facts(exit_code=0, closing=StopObeyed(time_ns=1, reason="diverged")),
            RunState.STOPPED,
            "by the training itself: diverged",
        ),
        (
            Facts(exit_code=0, closing=StopObeyed(time_ns=1, signalled=True)),
            RunState.INTERRUPTED,
            "the process received SIGTERM from outside and left in good order",
        ),
        (
            Facts(signal=signal.SIGKILL, cause=TIME_LIMIT, time_limit_s=3600.0),
            RunState.TIMED_OUT,
            "its time limit of 3600 s was reached",
        ),
        (
            Facts(exit_code=0, closing=OBEYED, cause=Cause(kind=CauseKind.LEASE_LOST)),
            RunState.INTERRUPTED,
            "lease lost",
        ),
        (
            Facts(exit_code=0, closing=OBEYED, cause=Cause(kind=CauseKind.SIGNAL, why="told to leave")),
            RunState.INTERRUPTED,
            "told to leave",
        ),
        (
            Facts(signal=signal.SIGKILL, oom_killed=True),
            RunState.OUT_OF_MEMORY,
            "the host's memory was not enough: the kernel killed the process",
        ),
        (Facts(signal=signal.SIGKILL), RunState.INTERRUPTED, "the process was killed from outside by SIGKILL"),
        (
            Facts(signal=signal.SIGTERM, oom_killed=True),
            RunState.INTERRUPTED,
            "the process was killed from outside by SIGTERM",
        ),
        (Facts(signal=signal.SIGHUP), RunState.INTERRUPTED, "the process was killed from outside by SIGHUP"),
        (
            Facts(signal=signal.SIGSEGV),
            RunState.FAILED,
            "crashed with SIGSEGV: it touched memory that is not its own",
        ),
        (Facts(signal=signal.SIGABRT), RunState.FAILED, "crashed with SIGABRT: it gave up by itself"),
        (Facts(signal=signal.SIGUSR1), RunState.FAILED, "crashed with SIGUSR1"),
        (Facts(signal=40), RunState.FAILED, "crashed with signal 40"),
        (Facts(exit_code=3), RunState.FAILED, "exited with 3"),
        (
            Facts(exit_code=0),
            RunState.FAILED,
            "the process left with exit code 0 before the training returned, as os._exit(0) does",
        ),
        (Facts(is_watched=True), RunState.INTERRUPTED, "its process ended without finishing the run"),
        (Facts(is_watched=True, closing=FINISHED), RunState.COMPLETED, ""),
        (Facts(is_watched=True, closing=failed()), RunState.FAILED, "ValueError: bad lr"),
        (Facts(start_problem="no such file"), RunState.FAILED, "no such file"),
    ],
)
def test_each_end_is_told_by_its_state_and_a_reason(facts: Facts, state: RunState, reason: str) -> None:
    ended = tell_end(facts, time_ns=7)

    assert (ended.state, ended.reason, ended.time_ns) == (state, reason, 7)
    assert (ended.exit_code, ended.signal) == (facts.exit_code, facts.signal)


def test_only_a_failure_has_a_fingerprint() -> None:
    assert tell_end(Facts(exit_code=1, closing=failed()), time_ns=1).fingerprint == "f1"
    assert tell_end(Facts(exit_code=1, closing=failed(), cause=BY_ADA), time_ns=1).fingerprint == ""
