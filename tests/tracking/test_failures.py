"""How failures are described: equal bugs look equal, whatever the values in their messages."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runyard.journal.events import Failed
from runyard.tracking.failures import MAX_MESSAGE_CHARACTERS, MAX_TRACEBACK_CHARACTERS, describe


def failure_of(call: Callable[[], object]) -> Failed:
    try:
        call()
    except BaseException as problem:
        return describe(problem)
    raise AssertionError("it did not fail")


def divide(number: float) -> float:
    return number / 0


def complain(text: str) -> None:
    raise ValueError(f"bad learning rate {text}")


def test_type_message_and_traceback_are_told() -> None:
    failed = failure_of(lambda: complain("0.1"))

    assert (failed.type, failed.message) == ("ValueError", "bad learning rate 0.1")
    assert "in complain" in failed.traceback


def test_the_same_bug_has_the_same_fingerprint_whatever_its_values() -> None:
    prints = []
    for text in ("0.1", "0.2"):
        prints.append(failure_of(partial(complain, text)).fingerprint)

    assert len(set(prints)) == 1


def test_another_place_or_type_has_another_fingerprint() -> None:
    def elsewhere() -> None:
        raise ValueError("bad learning rate 0.1")

    def other_type() -> None:
        raise KeyError("bad learning rate 0.1")

    assert len({failure_of(call).fingerprint for call in (elsewhere, other_type, lambda: divide(1))}) == 3


def test_a_line_that_moved_or_a_project_elsewhere_keeps_the_fingerprint(tmp_path: Path) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1])\nfrom runyard.tracking.failures import describe\n"
    program += "try:\n    import src.train\nexcept Exception as problem:\n    print(describe(problem).fingerprint)\n"
    prints = []
    for name, lines in (("project", ""), ("home/code/0123", "# a comment\n\n\n")):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "train.py").write_text(f"{lines}raise ValueError(__file__)\n")
        command = [sys.executable, "-c", program, str(tmp_path / name)]
        prints.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert prints[0] == prints[1]


def test_a_deep_recursion_is_described() -> None:
    def forever(depth: int) -> int:
        return forever(depth + 1)

    failed = failure_of(lambda: forever(0))

    assert failed.type == "RecursionError"
    assert len(failed.traceback) < 2 * MAX_TRACEBACK_CHARACTERS


def test_huge_messages_are_cut() -> None:
    failed = failure_of(lambda: complain("9" * 10_000_000))

    assert len(failed.message) == MAX_MESSAGE_CHARACTERS
    assert len(failed.traceback) <= MAX_TRACEBACK_CHARACTERS + 100


def test_an_exception_that_cannot_be_shown_is_told_all_the_same() -> None:
    class Shy(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def raise_it() -> None:
        raise Shy

    failed = failure_of(raise_it)

    assert failed.type.endswith("Shy")
    assert "cannot be shown" in failed.message


def test_surrogates_in_a_message_can_be_written() -> None:
    from runyard.journal.events import encode_event

    assert encode_event(failure_of(lambda: complain("\ud800")))


def an_exception(module: str, name: str, base: type[Exception], message: str) -> Exception:
    """An exception as a framework that is not installed here would raise it."""
    problem: Exception = type(name, (base,), {"__module__": module})(message)
    return problem


@pytest.mark.parametrize(
    ("exception", "where"),
    [
        (MemoryError(), "host"),
        (an_exception("numpy._core._exceptions", "_ArrayMemoryError", MemoryError, "Unable to allocate 8 TiB"), "host"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "host"),
        (an_exception("torch", "OutOfMemoryError", RuntimeError, "CUDA out of memory. Tried to allocate 2 GiB"), "gpu"),
        (an_exception("torch.cuda", "OutOfMemoryError", RuntimeError, "HIP out of memory"), "gpu"),
        (RuntimeError("CUDA error: out of memory"), "gpu"),
        (
            an_exception("jaxlib.xla_extension", "XlaRuntimeError", RuntimeError, "RESOURCE_EXHAUSTED: Out of memory"),
            "gpu",
        ),
        (an_exception("tensorflow.python.framework.errors_impl", "ResourceExhaustedError", Exception, "OOM"), "gpu"),
        (an_exception("cupy.cuda.memory", "OutOfMemoryError", MemoryError, "Out of memory allocating 8 bytes"), "gpu"),
        (ValueError("the text 'CUDA out of memory' in my own message"), ""),
        (RuntimeError("something else"), ""),
        (KeyError("x"), ""),
    ],
)
def test_out_of_memory_is_told_apart_from_bugs(exception: Exception, where: str) -> None:
    assert describe(exception).out_of_memory == where
