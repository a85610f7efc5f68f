"""How training code failed, told so that the same bug is recognised again.

The fingerprint is made of the exception's type and of the functions, files and source lines it came through.
Line numbers and the values in its message are left out, so three runs of a grid that die of one bug give one
fingerprint although their learning rates stand in the messages. It never raises: it is called at the worst moment.
"""

import os
import re
import traceback
from time import time_ns
from types import TracebackType

from runyard.errors import StopRun
from runyard.journal.events import Failed

MAX_TRACEBACK_CHARACTERS = 100_000
MAX_MESSAGE_CHARACTERS = 4_000

_OWN = os.path.dirname(os.path.dirname(__file__)) + os.sep
_INSTALLED = re.compile(r".*/(?:site-packages|dist-packages|lib/python3\.\d+)/")
_GPU_MEMORY = re.compile(
    r"CUDA out of memory|CUDA error: out of memory|CUDNN_STATUS_ALLOC_FAILED|CUBLAS_STATUS_ALLOC_FAILED"
    r"|HIP out of memory|MPS backend out of memory|RESOURCE_EXHAUSTED|cudaErrorMemoryAllocation"
    r"|Out of memory (?:while trying to allocate|allocating)|OOM when allocating",
    re.IGNORECASE,
)
_GPU_TYPES = {  # (first part of the module, name) of exceptions that mean nothing else
    ("torch", "OutOfMemoryError"),
    ("tensorflow", "ResourceExhaustedError"),
    ("cupy", "OutOfMemoryError"),
    ("cupy_backends", "OutOfMemoryError"),
    ("numba", "OutOfMemoryError"),
}
_GPU_MODULES = {"torch", "jax", "jaxlib", "tensorflow", "keras", "cupy", "cupy_backends", "numba", "xgboost"}
_HOST_MEMORY = re.compile(
    r"DefaultCPUAllocator: .*can't allocate memory|Cannot allocate memory|Unable to allocate .* for an array"
)


def describe(exception: BaseException) -> Failed:
    """The event that tells about `exception`."""
    kind = type(exception)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    message = _message(exception)
    return Failed(
        time_ns=time_ns(),
        type=name,
        message=message[:MAX_MESSAGE_CHARACTERS],
        traceback=_traceback(exception),
        fingerprint=_fingerprint(name, exception),
        out_of_memory=_out_of_memory(exception, message),
    )


def _message(exception: BaseException) -> str:
    try:
        return _valid(str(exception))
    except Exception:  # an exception whose __str__ fails is still a failure to tell about
        return "(its message cannot be shown)"


def _traceback(exception: BaseException) -> str:
    try:
        text = _valid("".join(traceback.format_exception(exception)))
    except Exception:  # see _message
        return f"{type(exception).__name__} (its traceback cannot be shown)"
    if len(text) <= MAX_TRACEBACK_CHARACTERS:
        return text
    half = MAX_TRACEBACK_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _fingerprint(name: str, exception: BaseException) -> str:
    from hashlib import sha256  # late: 3 ms that only a failing training pays

    digest = sha256(name.encode("utf-8", "backslashreplace"))
    for place in _places(exception.__traceback__):
        digest.update(b"\0" + place.encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]


def _places(trace: TracebackType | None) -> list[str]:
    """Function, file and source line of each frame outside Runyard; repetitions (a recursion) count once."""
    try:
        frames = traceback.extract_tb(trace)
    except Exception:  # see _message
        return []
    return list(
        dict.fromkeys(
            f"{frame.name} {_file(frame.filename)} {(frame.line or '').strip()}"
            for frame in frames
            if not frame.filename.startswith(_OWN)
        )
    )


def _file(path: str) -> str:
    """A name that is the same on another machine, in another environment and in a snapshot of the code."""
    shortened = _INSTALLED.sub("", path)
    return shortened if shortened != path else "/".join(path.split("/")[-2:])


def _out_of_memory(exception: BaseException, message: str) -> str:
    """ "gpu", "host" or "", told by names alone: no framework is imported to ask it."""
    module = (type(exception).__module__ or "").split(".")[0]
    if any((base.__module__.split(".")[0], base.__name__) in _GPU_TYPES for base in type(exception).__mro__):
        return "gpu"
    if (module in _GPU_MODULES or isinstance(exception, RuntimeError)) and _GPU_MEMORY.search(message):
        return "gpu"
    if isinstance(exception, MemoryError) or _HOST_MEMORY.search(message):
        return "host"
    return ""


def is_stop(exception: BaseException) -> bool:
    """Whether this is no failure but somebody's wish: a stop request, or Ctrl-C."""
    return isinstance(exception, StopRun | KeyboardInterrupt)
