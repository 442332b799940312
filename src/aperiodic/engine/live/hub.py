"""Live rows from the process that makes them to those that serve them, on one machine; see `local_hub`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from aperiodic.engine.live.rows import ALL_SECONDS, LiveRow
from aperiodic.engine.local_hub import LocalHub, follow_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aperiodic.engine.live.rows import Seconds

__all__ = ["LiveHub", "follow_hub", "is_made"]

_FILE: Final = "live.json"
_KEPT_BYTES: Final = 64 << 20
_KEPT_US: Final = 180_000_000

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[LiveRow]).decode


class LiveHub:
    """Hands rows to whoever has connected.

    Args:
        home: Folder of the installation.
    """

    trouble = None

    def __init__(self, home: Path) -> None:
        self._hub = LocalHub(home / _FILE, kept_bytes=_KEPT_BYTES, kept_us=_KEPT_US)
        self.close = self._hub.close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def readers(self) -> int:
        """How many read."""
        return self._hub.readers

    @property
    def seconds(self) -> Seconds:
        """The bars below a minute that anybody reads."""
        return self._hub.wanted

    def tell(self, rows: list[LiveRow]) -> None:
        """Hand rows to all readers; never waits for one."""
        self._hub.tell(_encode(rows), rows[-1].told_at)


def follow_hub(
    home: Path,
    receive: Callable[[list[LiveRow], bool], object],
    is_over: Callable[[], bool],
    wait: Callable[[float], object],
    seconds: Callable[[], Seconds] = lambda: ALL_SECONDS,
    up_to_date: Callable[[], object] = lambda: None,
) -> None:
    """Receive rows until `is_over`; where nobody makes any, wait for somebody.

    Args:
        home: Folder of the installation.
        receive: Takes rows, and whether rows can be missing before them: their maker is another, or has forgotten some.
        is_over: Asked at least twice a second.
        wait: Waits for so many seconds.
        seconds: Which bars below a minute are wanted, asked at least twice a second.
        up_to_date: Called when all that a maker had kept was received.
    """
    follow_local(
        home / _FILE,
        lambda body, missed: receive(_decode(body), missed),
        is_over,
        wait,
        wanted=seconds,
        up_to_date=up_to_date,
    )


def is_made(home: Path) -> bool:
    """Whether an installation has, or had a moment ago, somebody who makes live rows."""
    return (home / _FILE).exists()
