from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.running import Running, running
from tests.serve.small_project import package, service


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model package, not to be changed."""
    return package(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def served(model: Path) -> Iterator[Running]:
    """A service of images that is ready."""
    with running(service(model)) as found:
        yield found
