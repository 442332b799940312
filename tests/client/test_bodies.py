"""How many files are in memory at once."""

from __future__ import annotations

import asyncio

from aperiodic.client.bodies import Bodies

_MIB = 1024**2


class _Fetches:
    """Takes room for files, and knows which ones have it."""

    def __init__(self) -> None:
        self.bodies = Bodies()
        self.inside: list[int] = []
        self.most = 0
        self._over = asyncio.Event()

    async def fetch(self, number: int, size: int) -> None:
        async with self.bodies.one(size):
            self.inside.append(number)
            self.most = max(self.most, len(self.inside))
            try:
                await self._over.wait()
            finally:
                self.inside.remove(number)

    def end(self) -> None:
        self._over.set()


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_few_large_files_are_fetched_at_once_and_the_others_in_turn() -> None:
    async def run() -> tuple[list[int], int]:
        fetches = _Fetches()
        tasks = [asyncio.create_task(fetches.fetch(number, 100 * _MIB)) for number in range(9)]
        await _turns()
        first = list(fetches.inside)
        fetches.end()
        await asyncio.gather(*tasks)
        return first, fetches.most

    assert asyncio.run(run()) == ([0, 1, 2, 3], 4)


def test_many_small_files_are_fetched_at_once() -> None:
    async def run() -> int:
        fetches = _Fetches()
        tasks = [asyncio.create_task(fetches.fetch(number, _MIB)) for number in range(30)]
        await _turns()
        count = len(fetches.inside)
        fetches.end()
        await asyncio.gather(*tasks)
        return count

    assert asyncio.run(run()) == 16


def test_those_that_are_cancelled_leave_no_room_taken() -> None:
    async def run() -> list[list[int]]:
        fetches, seen = _Fetches(), []
        tasks = [asyncio.create_task(fetches.fetch(number, 100 * _MIB)) for number in range(9)]
        await _turns()
        for number in (1, 4, 6):  # one that has room, and two that wait
            tasks[number].cancel()
        await _turns()
        seen.append(sorted(fetches.inside))
        tasks[0].cancel()
        await asyncio.sleep(0)  # room was given to the next one,
        tasks[7].cancel()  # which does not want it any more
        await _turns()
        seen.append(sorted(fetches.inside))
        fetches.end()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    assert asyncio.run(run()) == [[0, 2, 3, 5], [2, 3, 5, 8]]
