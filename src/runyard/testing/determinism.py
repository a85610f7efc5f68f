"""The same numbers each time, as far as a machine can."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic(seed: int = 0, *, threads: int = 1) -> Iterator[None]:
    """Inside the block: every generator seeded, few threads, deterministic algorithms; afterwards all is as before.

    `random` and NumPy are seeded, and PyTorch if it is imported by then. What only exists in a nondeterministic form
    (some operations on GPUs) warns. Data loaders are the caller's: `num_workers=0` is the setting to choose.
    """
    before = (random.getstate(), np.random.get_state())
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        with ExitStack() as settings:
            settings.enter_context(_few_threads(threads))
            if "torch" in sys.modules:
                settings.enter_context(_torch(seed, threads))
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


@contextmanager
def _few_threads(threads: int) -> Iterator[None]:
    if find_spec("threadpoolctl") is None:  # it comes with scikit-learn
        yield
        return
    import threadpoolctl

    with threadpoolctl.threadpool_limits(threads):
        yield


@contextmanager
def _torch(seed: int, threads: int) -> Iterator[None]:
    torch: Any = sys.modules["torch"]
    states = torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    flags = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn, n_threads, workspace = torch.backends.cudnn.benchmark, torch.get_num_threads(), os.environ.get(_CUBLAS)
    os.environ.setdefault(_CUBLAS, ":4096:8")  # without it cuBLAS chooses anew each time
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        if states[1]:
            torch.cuda.set_rng_state_all(states[1])
        torch.set_num_threads(n_threads)
        torch.use_deterministic_algorithms(flags[0], warn_only=flags[1])
        torch.backends.cudnn.benchmark = cudnn
        if workspace is None:
            os.environ.pop(_CUBLAS, None)
