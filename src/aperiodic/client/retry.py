"""Trying again: which answers deserve it, how often, and how long to wait."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, TypeVar

from aperiodic.market.retry_after import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["RETRYABLE_STATUSES", "RetryableError", "retrying"]

RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
"""Statuses that pass by themselves: too many requests, and a part of the server that is down."""

ATTEMPTS: Final = 5
FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 8.0
LONGEST_RETRY_AFTER_SECONDS: Final = 30.0

T = TypeVar("T")


class RetryableError(Exception):
    """An attempt failed in a way that may pass.

    Attributes:
        error: What the caller gets if it does not pass.
        retry_after: The server's `Retry-After` header, or None.
    """

    def __init__(self, error: Exception, retry_after: str | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


async def retrying(attempt: Callable[[], Awaitable[T]]) -> T:
    """Await `attempt()` until it does not raise a `RetryableError`, five times at most.

    Raises:
        Exception: The last attempt's `error`; whatever else `attempt` raises passes through at once.
    """
    for number in range(1, ATTEMPTS):
        try:
            return await attempt()
        except RetryableError as failure:
            await asyncio.sleep(_delay(number, failure.retry_after))
    try:
        return await attempt()
    except RetryableError as failure:
        raise failure.error from failure.__cause__


def _delay(number: int, retry_after: str | None) -> float:
    """Seconds to wait after the attempt of that number, counted from 1."""
    asked = None if retry_after is None else retry_after_s(retry_after)
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_RETRY_AFTER_SECONDS)
    ceiling = min(FIRST_DELAY_SECONDS * 2.0 ** (number - 1), LONGEST_DELAY_SECONDS)
    # Half of it is random, so that downloads which failed together do not come back together.
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)
