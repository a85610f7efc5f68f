"""Every problem that a user can meet, in one tree.

    RunyardError
    ├── UsageError        the caller can fix it        exit 2
    │   ├── ConfigError       a key, a value or a plan that does not fit (all of them at once)
    │   ├── ContractBroken    data that are not what the project declares
    │   ├── QueryError        a filter that cannot be understood
    │   ├── NotFound          no such run, project, file, artifact
    │   ├── ProjectNotFound   the folder is no Runyard project
    │   ├── MissingExtra      an optional package is needed
    │   ├── LoginNeeded       the server does not know who asks, or no longer
    │   ├── NotAllowed        the server knows, and this account may not do it
    │   └── TooManyAttempts   wait before the next login
    ├── ConflictError     the world moved on           exit 3
    │   ├── LeaseLost         another worker holds the run now
    │   └── RunFinished       the run has ended; it cannot be changed that way
    └── ServiceError      something else failed        exit 4
        ├── FormatUnknown     written by another version of Runyard
        ├── JournalDamaged    bytes that are no journal
        ├── DatabaseUnavailable  nobody answers at the database's URL
        ├── DeviceUnavailable no GPU, or one that does not answer
        ├── ServerAway        the team's server cannot be reached, or cannot take anything now
        └── NotYet            a command that exists but does nothing so far

A message says what happened, with which value, where, and what to do. Wrong calls within our
own code stay plain `ValueError` and `TypeError`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class RunyardError(Exception):
    """The root: `str()` of it is a whole sentence for the user."""

    exit_code = 1


class UsageError(RunyardError):
    """The caller can fix it."""

    exit_code = 2


class ConfigError(UsageError):
    """One or more problems of a config or a plan; `problems` holds one sentence each."""

    def __init__(self, problems: "str | list[str]") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(f"config error: {problem}" for problem in self.problems))


class ContractBroken(UsageError):
    """Data are not what the project declares; `problems` holds what and where, one each."""

    def __init__(self, message: str, problems: "Sequence[object]" = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class QueryError(UsageError):
    """A query that cannot be understood; `position` is the offset of the culprit in the text, in characters."""

    def __init__(self, message: str, *, position: int = 0, length: int = 1) -> None:
        self.position = position
        self.length = length
        super().__init__(message)


class NotFound(UsageError):
    """No such run, project, file or artifact."""


class ProjectNotFound(UsageError):
    """The folder is no Runyard project."""


class MissingExtra(UsageError):
    """An optional package is needed; the message holds the line that installs it."""

    def __init__(self, *, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an optional package. Install it with: pip install 'runyard[{extra}]'")


class LoginNeeded(UsageError):
    """The server does not know who asks: no token or session, or one that is wrong, expired or revoked."""


class NotAllowed(UsageError):
    """The server knows who asks; the role or the project does not allow it."""


class TooManyAttempts(UsageError):
    """Logging in failed too often; `retry_after_s` says how long to wait, in whole seconds."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ConflictError(RunyardError):
    """The world moved on between asking and doing."""

    exit_code = 3


class LeaseLost(ConflictError):
    """Another worker holds the run now, or the lease ran out."""


class RunFinished(ConflictError):
    """The run has ended; it cannot be changed that way."""


class ServiceError(RunyardError):
    """Something that Runyard relies on failed."""

    exit_code = 4


class FormatUnknown(ServiceError):
    """Data on disk of a version that this Runyard does not know."""


class JournalDamaged(ServiceError):
    """Bytes that are no journal, or not the journal that was asked for."""


class DatabaseUnavailable(ServiceError):
    """Nobody answers where the database should be."""


class ServerAway(ServiceError):
    """The team's server cannot be reached, or has no room: trying again later helps."""


class DeviceUnavailable(ServiceError):
    """No GPU, or one that does not answer."""


class NotYet(ServiceError):
    """A command that exists but does nothing so far."""


class StopRun(BaseException):  # no Exception: a training loop's own `except Exception` must not swallow it
    """Raised inside training code by `run.log` when the run was asked to stop; catch nothing, save in `finally`."""

    def __init__(self, reason: str = "the run was asked to stop") -> None:
        super().__init__(reason)
