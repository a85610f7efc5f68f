"""Texts that a spreadsheet would execute.

Who names a file `=cmd|...` may be a stranger, and who opens the table is a customer. So such a text gets an apostrophe
in front, which spreadsheets take for "this is text".
"""

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # OWASP's list: what spreadsheets execute, or skip on the way to it
_APOSTROPHE = "'"


def guarded(text: str) -> str:
    """The text as it may stand in a cell; `unguarded` gives it back."""
    return _APOSTROPHE + text if text.startswith((*STARTS, _APOSTROPHE)) else text


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    is_guarded = cell.startswith(_APOSTROPHE) and cell[1:].startswith((*STARTS, _APOSTROPHE))
    return cell[1:] if is_guarded else cell
