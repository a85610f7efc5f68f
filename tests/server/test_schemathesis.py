"""Whatever is asked, by the OpenAPI document or against it: a sentence comes back, and never a defect."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from runyard.server.permissions import API
from tests.server.team import Team

_EXAMPLES = 8  # of each endpoint, that are right, and as many that are wrong
_LONGEST = 50_000  # signs of an address, beyond which nobody reads on
_ENDLESS = f"{API}/events"


@schemathesis.serializer("application/msgpack")
def _as_it_is(_context: object, value: object) -> bytes:
    """Random bytes in place of what only our own clients write."""
    return value if isinstance(value, bytes) else msgspec.msgpack.encode(value, enc_hook=str)


@contextmanager
def without_collector() -> Iterator[None]:
    """Hypothesis times the collector in Python, which lets the server's thread in while a lambda is being parsed.

    In Python 3.11 all threads share the depth of the tree that is built, and a SystemError is raised then.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.slow
def test_no_request_finds_a_defect(shared_team: Team) -> None:
    document = schemathesis.openapi.from_url(f"{shared_team.served.http.base_url}{API}/openapi.json", timeout=60.0)
    headers = {"Authorization": f"Bearer {shared_team.tokens['ada']}"}
    found = document.exclude(path=_ENDLESS).get_all_operations()
    operations = [each.ok() for each in found if isinstance(each, Ok)]
    assert len(operations) > 30

    for operation in operations:
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=_EXAMPLES,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                derandomize=True,
                database=None,
            )
            def ask(case: Case[Any]) -> None:
                assume(len(urlencode(case.query or {}, doseq=True, errors="replace")) < _LONGEST)
                response = case.call(headers=headers, timeout=60)

                assert response.status_code < 500, (case.method, case.formatted_path[:200], response.text[:500])
                if response.status_code >= 400:
                    assert response.json()["error"].strip()

            with suppress(Unsatisfiable), without_collector():  # nothing can be wrong where nothing is asked for
                ask()
