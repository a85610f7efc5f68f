"""Inside the block everything is seeded; outside all is as before."""

import random
from typing import Any

import numpy as np
import pytest

from runyard.testing import deterministic


def draws() -> tuple[float, float]:
    return random.random(), float(np.random.random())


def test_numbers_are_the_same_each_time() -> None:
    found = []
    for seed in (1, 1, 2):
        with deterministic(seed):
            found.append(draws())

    assert found[0] == found[1]
    assert found[0] != found[2]


def test_generators_go_on_afterwards_as_if_nothing_had_been() -> None:
    random.seed(5)
    np.random.seed(5)
    expected = draws()
    random.seed(5)
    np.random.seed(5)

    with deterministic():
        draws()

    assert draws() == expected


def test_few_threads_compute() -> None:
    threadpoolctl: Any = pytest.importorskip("threadpoolctl")

    with deterministic(threads=1):
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} <= {1}


@pytest.mark.torch
def test_settings_of_pytorch_are_restored() -> None:
    torch: Any = pytest.importorskip("torch")
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    found = []

    for _ in range(2):
        with deterministic(3):
            found.append(torch.rand(2).tolist())
            assert torch.get_num_threads() == 1
            assert torch.are_deterministic_algorithms_enabled()

    assert found[0] == found[1]
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])
