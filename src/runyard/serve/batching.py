"""Micro-batches: requests that are there together go through the model together.

The model runs in one thread of its own, so that the event loop answers /live meanwhile. A batch starts as soon as the
model is free; it waits, and never longer than `wait_s`, only while further requests are already arriving. So a lonely
request waits for nobody. All state belongs to the event loop: there is no lock.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from runyard.serve.refusals import Refused

Answer = bytes | Exception


@dataclass(eq=False)
class _Ticket:
    """The inputs of one request, or a part of them, and who waits for the answers."""

    values: list[object]
    answers: "asyncio.Future[list[Answer]]"


class Batcher:
    """Gives inputs to `compute`, `size` at most at a time; `compute` answers each with bytes or an exception."""

    def __init__(
        self,
        compute: Callable[[list[object]], list[Answer]],
        *,
        size: int,
        wait_s: float,
        most_waiting: int,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        self._compute = compute
        self._size = size
        self._wait_s = wait_s
        self._most_waiting = most_waiting
        self._on_batch = on_batch
        self._tickets: deque[_Ticket] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = False
        self._seconds_per_input = 0.0
        self.arriving = 0  # requests whose bodies are being read

    @property
    def waiting(self) -> int:
        """Inputs that wait for the model."""
        return sum(len(ticket.values) for ticket in self._tickets)

    def admit(self, count: int = 1) -> None:
        """Raise Refused (503) if so many more inputs would be too many."""
        waiting = self.waiting
        if waiting and waiting + count > self._most_waiting:
            seconds = max(1, math.ceil(waiting * self._seconds_per_input))
            raise Refused(
                f"{waiting} inputs wait for the model already. Try again in {seconds} s.",
                status=503,
                retry_after_s=seconds,
            )

    async def submit(self, values: Sequence[object]) -> list[Answer]:
        """The answers to some inputs, in their order.

        Raises:
            Refused: too many wait.
        """
        self.admit(len(values))
        loop = asyncio.get_running_loop()
        pieces = [list(values[start : start + self._size]) for start in range(0, len(values), self._size)]
        tickets = [_Ticket(piece, loop.create_future()) for piece in pieces]
        self._tickets += tickets
        self.look()
        return [answer for ticket in tickets for answer in await ticket.answers]

    def look(self) -> None:
        """Start a batch if the model is free and there is nothing to wait for."""
        if self._is_busy or not self._tickets:
            return
        if self.arriving and self.waiting < self._size and self._wait_s > 0:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._start)
            return
        self._start()

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_busy:
            return
        batch, room = [], self._size
        while self._tickets and len(self._tickets[0].values) <= room:
            ticket = self._tickets.popleft()
            if not ticket.answers.cancelled():  # nobody waits for it any more
                batch.append(ticket)
                room -= len(ticket.values)
        if not batch:
            return
        self._is_busy = True
        begun = perf_counter()
        values = [value for ticket in batch for value in ticket.values]
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._compute, values)
        future.add_done_callback(lambda done: self._finish(batch, perf_counter() - begun, done))

    def _finish(self, batch: list[_Ticket], seconds: float, done: "asyncio.Future[list[Answer]]") -> None:
        self._is_busy = False
        count = sum(len(ticket.values) for ticket in batch)
        self._seconds_per_input = seconds / count
        self._on_batch(count, seconds)
        error = done.exception()
        answers = [] if error else done.result()
        for ticket in batch:
            mine, answers = answers[: len(ticket.values)], answers[len(ticket.values) :]
            if ticket.answers.cancelled():
                continue
            if error:
                ticket.answers.set_exception(error)
            else:
                ticket.answers.set_result(mine)
        self.look()
