"""How an attempt ended, told truthfully: one pure function from facts to `Ended`.

The first rule that fits decides. What we did to the run comes before what the run said, because a
training that is told to leave may leave in many ways; what the run said comes before its exit code,
because an interpreter may still crash after the training returned.
"""

import signal
from dataclasses import dataclass
from enum import StrEnum

from runyard.journal.events import Ended, Failed, Finished, StopObeyed
from runyard.records import RunState

Closing = Finished | Failed | StopObeyed

_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT})
_MEANINGS = {
    signal.SIGSEGV: "it touched memory that is not its own",
    signal.SIGABRT: "it gave up by itself",
    signal.SIGBUS: "it touched memory that is not there; a full /dev/shm does this as well",
    signal.SIGILL: "it met an instruction that this CPU does not know",
    signal.SIGFPE: "it divided an integer by zero",
    signal.SIGXCPU: "its limit of CPU time was reached",
    signal.SIGXFSZ: "its limit of file size was reached",
}
_MAX_MESSAGE_CHARS = 500


class CauseKind(StrEnum):
    """Why the supervisor itself ended an attempt."""

    REQUEST = "request"  # somebody asked for it
    TIME_LIMIT = "time_limit"
    LEASE_LOST = "lease_lost"  # another worker has the run now
    SIGNAL = "signal"  # the supervisor was told to leave, as when the machine shuts down


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What made the supervisor end the attempt."""

    kind: CauseKind
    by: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known at the end.

    Attributes:
        exit_code: of the training process; None if a signal ended it, or if it was not ours to wait for.
        signal: the number of the signal that ended it.
        closing: what the training process said last about its end.
        cause: why the supervisor ended it, if it did.
        time_limit_s: the limit of the run.
        oom_killed: whether the kernel killed for lack of memory meanwhile.
        is_watched: it was no child of ours, so that neither exit code nor signal can be known.
        start_problem: why no process could be started at all.
    """

    exit_code: int | None = None
    signal: int | None = None
    closing: Closing | None = None
    cause: Cause | None = None
    time_limit_s: float | None = None
    oom_killed: bool = False
    is_watched: bool = False
    start_problem: str = ""


def tell_end(facts: Facts, *, time_ns: int) -> Ended:
    """The end state and a sentence that gives the reason."""
    state, reason = _judge(facts)
    closing = facts.closing
    failed = state in (RunState.FAILED, RunState.OUT_OF_MEMORY) and isinstance(closing, Failed)
    return Ended(
        time_ns=time_ns,
        state=state,
        reason=reason,
        exit_code=facts.exit_code,
        signal=facts.signal,
        fingerprint=closing.fingerprint if failed and isinstance(closing, Failed) else "",
    )


def _judge(facts: Facts) -> tuple[RunState, str]:
    if facts.start_problem:
        return RunState.FAILED, facts.start_problem
    if facts.cause is not None:
        return _ended_by_us(facts.cause, facts)
    if isinstance(facts.closing, Failed):
        return _failed(facts.closing, facts)
    if isinstance(facts.closing, Finished):
        return RunState.COMPLETED, _trouble_after_the_end(facts)
    if isinstance(facts.closing, StopObeyed):
        return _obeyed(facts.closing)
    if facts.signal is not None:
        return _ended_by_signal(facts.signal, oom_killed=facts.oom_killed)
    return _left_without_a_word(facts)


def _ended_by_us(cause: Cause, facts: Facts) -> tuple[RunState, str]:
    if cause.kind is CauseKind.TIME_LIMIT:
        return RunState.TIMED_OUT, f"its time limit of {facts.time_limit_s:g} s was reached"
    if cause.kind is CauseKind.LEASE_LOST:
        return RunState.INTERRUPTED, f"lease lost: {cause.why}" if cause.why else "lease lost"
    if cause.kind is CauseKind.SIGNAL:
        return RunState.INTERRUPTED, cause.why
    return RunState.STOPPED, f"by {cause.by}: {cause.why}" if cause.why else f"by {cause.by}"


def _failed(failed: Failed, facts: Facts) -> tuple[RunState, str]:
    reason = _in_words(failed)
    reason = reason if len(reason) <= _MAX_MESSAGE_CHARS else reason[: _MAX_MESSAGE_CHARS - 1] + "…"
    if failed.out_of_memory == "gpu":
        return RunState.OUT_OF_MEMORY, f"the GPU's memory was not enough. {reason}"
    if failed.out_of_memory:
        return RunState.OUT_OF_MEMORY, f"the host's memory was not enough. {reason}"
    if facts.oom_killed and "killed" in failed.message.lower():  # a helper process was hit, and the training noticed
        return RunState.OUT_OF_MEMORY, f"the kernel killed a process of the run for lack of memory. {reason}"
    return RunState.FAILED, reason


def _in_words(failed: Failed) -> str:
    if failed.type == "SystemExit":
        return f"exited with {failed.message}" if failed.message.lstrip("-").isdigit() else f"exited: {failed.message}"
    return f"{failed.type}: {failed.message}" if failed.message else failed.type


def _trouble_after_the_end(facts: Facts) -> str:
    if facts.signal is not None:
        return f"the training returned, but its process was then ended by {_name(facts.signal)}"
    if facts.exit_code:
        return f"the training returned, but its process then exited with {facts.exit_code}"
    return ""


def _obeyed(closing: StopObeyed) -> tuple[RunState, str]:
    if closing.signalled:
        return RunState.INTERRUPTED, "the process received SIGTERM from outside and left in good order"
    return RunState.STOPPED, f"by the training itself: {closing.reason}" if closing.reason else "by the training itself"


def _ended_by_signal(number: int, *, oom_killed: bool) -> tuple[RunState, str]:
    if number == signal.SIGKILL and oom_killed:
        return RunState.OUT_OF_MEMORY, "the host's memory was not enough: the kernel killed the process"
    if number in _FROM_OUTSIDE:
        return RunState.INTERRUPTED, f"the process was killed from outside by {_name(number)}"
    meaning = next((f": {text}" for known, text in _MEANINGS.items() if known == number), "")
    return RunState.FAILED, f"crashed with {_name(number)}{meaning}"


def _left_without_a_word(facts: Facts) -> tuple[RunState, str]:
    if facts.is_watched:
        return RunState.INTERRUPTED, "its process ended without finishing the run"
    if facts.exit_code:
        return RunState.FAILED, f"exited with {facts.exit_code}"
    return RunState.FAILED, "the process left with exit code 0 before the training returned, as os._exit(0) does"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
