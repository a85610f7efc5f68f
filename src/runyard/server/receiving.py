"""Deliveries of many supervisors, taken together.

Whatever waits when the disk has done its last sync goes into the next one, which begins a tenth of a second after the
last one began. So a server that is asked a few hundred times a second writes and commits ten times, and one that is
asked once answers at once.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from runyard.client import Client, intake
from runyard.journal.pieces import Piece, Receipt
from runyard.server.pacing import Pace

MOST_PIECES = 400  # in one transaction: it takes some tenths of a second, in which no other writer gets its turn
APART_S = 0.1  # between the beginnings of two transactions
_MOST_BYTES = 64 << 20


class Intake:
    """The door for journals. Deliveries wait in the event loop; one thread takes them in."""

    def __init__(self, client: Client) -> None:
        self.pace = Pace()
        self._client = client
        self._waiting: list[tuple[Sequence[Piece], asyncio.Future[list[Receipt]]]] = []
        self._is_taking = False
        self._begun_at = float("-inf")
        self._thread = ThreadPoolExecutor(1, "intake")

    async def take(self, pieces: Sequence[Piece]) -> list[Receipt]:
        """Keep the pieces of one delivery.

        Raises:
            OSError: the disk did not take them; so for all that came together.
        """
        future: asyncio.Future[list[Receipt]] = asyncio.get_running_loop().create_future()
        self._waiting.append((pieces, future))
        if not self._is_taking:
            self._is_taking = True
            try:
                await self._take_all()
            finally:
                self._is_taking = False
        return await future

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown(wait=True)

    async def _take_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(max(0.0, self._begun_at + APART_S - loop.time()))
            self._begun_at = loop.time()
            batch = self._next_batch()
            pieces = [piece for delivery, _ in batch for piece in delivery]
            try:
                receipts = await loop.run_in_executor(self._thread, intake.take, self._client, pieces)
            except Exception as problem:  # the disk or the database: each of them hears it, and comes again
                for _, future in batch:
                    if not future.done():
                        future.set_exception(problem)
                continue
            for delivery, future in batch:
                own, receipts = receipts[: len(delivery)], receipts[len(delivery) :]
                if not future.done():
                    future.set_result(own)

    def _next_batch(self) -> list[tuple[Sequence[Piece], asyncio.Future[list[Receipt]]]]:
        """As many deliveries as fit, none of which brings the same stream as another."""
        batch: list[tuple[Sequence[Piece], asyncio.Future[list[Receipt]]]] = []
        later: list[tuple[Sequence[Piece], asyncio.Future[list[Receipt]]]] = []
        places = set[tuple[str, int, str]]()
        size = 0
        for delivery, future in self._waiting:
            own = {(piece.run_id, piece.attempt, piece.stream) for piece in delivery}
            size += sum(len(piece.data) for piece in delivery)
            if batch and (size > _MOST_BYTES or len(places) + len(own) > MOST_PIECES or own & places):
                later.append((delivery, future))
            else:
                batch.append((delivery, future))
                places |= own
        self._waiting = later
        return batch
