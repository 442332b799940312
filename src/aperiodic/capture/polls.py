"""Asking again and again for what has no stream, with the weight that snapshots leave."""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.capture.rest import RestClient
    from aperiodic.venues.feed import Request

__all__ = ["keep_polling"]


async def keep_polling(rest: RestClient, requests: Sequence[Request]) -> None:
    """Ask for each of the requests at its pace, or slower where the weight does not suffice.

    Args:
        rest: Asks; a quarter of the weight stays free for others.
        requests: What is asked, with the time between two.
    """
    spare = rest.weight.most // 4
    start = time.monotonic()
    due = [
        (start + (request.every_s or 60.0) * number / len(requests), number) for number, request in enumerate(requests)
    ]
    heapq.heapify(due)
    while due:
        at, number = due[0]
        if (wait := at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        request = requests[number]
        await rest.ask(request, spare=spare)
        heapq.heapreplace(due, (max(at + (request.every_s or 60.0), time.monotonic()), number))
