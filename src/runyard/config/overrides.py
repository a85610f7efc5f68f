"""Tokens of a command line: `optim.lr=1e-3`, `'optim.lr=[1e-3,1e-2]'`, and `--sweep optim.lr 1e-3 1e-2`."""

from collections.abc import Iterable, Sequence

from runyard.config.cells import Written
from runyard.config.scalars import Several, read_scalar
from runyard.config.yaml_source import parse_text
from runyard.errors import ConfigError


def parse_override(token: str) -> Written:
    """Split `key=value`.

    Raises:
        ConfigError: the token has no `=` or no key.
    """
    key, equals, text = token.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(_explain(token))
    if key.startswith("-"):
        raise ConfigError(f"'{token}' starts with a dash. Keys are written without: {key.lstrip('-')}={text}")
    return Written(key, parse_text(text), "command line")


def sweep_override(key: str, texts: Sequence[str]) -> Written:
    """Take the key and the values of `--sweep KEY VALUE VALUE …`: several values, whatever the field's type.

    Raises:
        ConfigError: no value is given.
    """
    if not texts:
        raise ConfigError(f"--sweep {key} has no values. Write --sweep {key} VALUE VALUE")
    raws = (parse_text(text) if text.lstrip().startswith("[") else read_scalar(text) for text in texts)
    return Written(key, Several(tuple(raws)), "command line")


def read_command_line(tokens: Iterable[str | Written]) -> list[Written]:
    """Parse all tokens, and report all that cannot be parsed, and keys that are given twice, at once."""
    problems: list[str] = []
    found: dict[str, Written] = {}
    for token in tokens:
        try:
            written = parse_override(token) if isinstance(token, str) else token
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if written.key in found:
            problems.append(f"'{written.key}' is given twice on the command line")
        found[written.key] = written
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def _explain(token: str) -> str:
    if token.startswith("="):
        return f"'{token}' names no key. Write KEY=VALUE, such as epochs=20"
    return f"'{token}' sets nothing. Write KEY=VALUE, such as {token}=…"
