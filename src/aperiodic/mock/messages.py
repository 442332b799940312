"""What a source hands on: frames in the venue's own form, each with the moment at which it is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aperiodic.market import Exchange

__all__ = ["BookChange", "Message", "Source", "Times"]


class BookChange(NamedTuple):
    """What a message does to a book that is kept for snapshots.

    Attributes:
        after: Number of the state that it changes; None where it does not say.
        last: Number of the state after it; None where the venue does not number.
        bids: Rows as sent: price, amount, and what else the venue sends; amount 0 removes.
        asks: The same of the asks.
        whole: Whether it is the whole book rather than a change.
        time: Exchange time, ms.
    """

    after: int | None
    last: int | None
    bids: Sequence[Sequence[str]]
    asks: Sequence[Sequence[str]]
    whole: bool = False
    time: int = 0


class Message(NamedTuple):
    """Something that a venue says.

    Attributes:
        due: When it is to be sent, µs since the epoch, wall clock.
        stream: Name of the stream as the venue's wire names it (`aperiodic.mock.wire`); empty: it is not sent, it only
            changes what the venue knows.
        native: The venue's name of the instrument.
        payload: The frame.
        number: The venue's number of the event: trade id, update id; None where there is none.
        time: Exchange time, ms; 0 where there is none.
        change: What it does to the book of the instrument.
    """

    due: int
    stream: str
    native: str
    payload: bytes
    number: int | None = None
    time: int = 0
    change: BookChange | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """From the times of a source to times now.

    Attributes:
        origin: A time of the source, µs.
        now: The time that it becomes, µs.
        speed: How many times faster than it was recorded.
        shift: Whether exchange times move too; if not, only the moments of sending do.
    """

    origin: int
    now: int
    speed: float = 1.0
    shift: bool = False

    def due(self, time: int) -> int:
        """Return when something of the source's time `time` (µs) is to be sent, µs."""
        return self.now + int((time - self.origin) / self.speed)

    def exchange(self, stamp: int) -> int:
        """Return what becomes of an exchange time in ms or µs."""
        if not self.shift:
            return stamp
        unit = 1 if stamp > _LARGEST_MS else 1_000
        return self.due(stamp * unit) // unit


_LARGEST_MS = 100_000_000_000_000


class Source(Protocol):
    """A market to be told of.

    Attributes:
        exchange: Whose it is.
        waits: Whether it begins only when somebody listens.
    """

    exchange: Exchange
    waits: bool

    def prepare(self) -> None:
        """Do what takes time, before the first connection; called in a thread, and once more does nothing."""

    def instruments(self) -> Mapping[str, bytes]:
        """Return the answers that list instruments, by what is asked for (see the venue's REST module)."""

    def streams(self) -> frozenset[str]:
        """Return the names of the streams that will be sent."""

    def natives(self) -> frozenset[str]:
        """Return the venue's names of the instruments."""

    def begin(self, now: int) -> Iterator[Message]:
        """Return everything from now on (µs), in the order in which it is due."""
