"""The config of a run that executes a command; it lies where a project's config lies beside its entry."""

from runyard.config import Config, Field


class CommandConfig(Config):
    """What to execute, in the project's folder, without a shell."""

    command: list[str] = Field([], help="program and arguments")


DEFAULT = CommandConfig()
EXIT_CODE = "exit_code"  # the metric that tells how the command ended
ENTRY = "runyard.project.queued_command.executing:execute"
