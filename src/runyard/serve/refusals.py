"""Requests that cannot be answered, with the status that says whose turn it is."""

from dataclasses import dataclass

from runyard.errors import UsageError


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of an input; `place` is empty for the whole of it."""

    place: str
    sentence: str


class Refused(UsageError):
    """A request that is not answered: `status` is the HTTP status, `problems` say what is wrong where.

    `retry_after_s`: whole seconds after which the same request may be answered; None if it never will be.
    """

    def __init__(
        self, message: str, *, status: int = 422, problems: tuple[Problem, ...] = (), retry_after_s: int | None = None
    ) -> None:
        self.status = status
        self.problems = problems
        self.retry_after_s = retry_after_s
        super().__init__(message)

    def document(self) -> dict[str, object]:
        """What the caller reads, as JSON."""
        found = [{"place": problem.place, "problem": problem.sentence} for problem in self.problems]
        return {"error": str(self), "problems": found} if found else {"error": str(self)}
