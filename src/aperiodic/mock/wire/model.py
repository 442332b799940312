"""What is asked of a venue's way of writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aperiodic.market import Exchange, Stream
    from aperiodic.mock.messages import BookChange, Times
    from aperiodic.simulate import MarketSpec

__all__ = ["Encoder", "Said", "Wire", "write"]


class Said(NamedTuple):
    """A frame without the moment at which it is sent; see `Message`."""

    stream: str
    native: str
    payload: bytes
    number: int | None = None
    time: int = 0
    change: BookChange | None = None


class Encoder(Protocol):
    """Writes the ticks of one simulated instrument; it remembers what it said before."""

    def write(self, stream: Stream, row: dict[str, Any]) -> Iterator[Said]:
        """Yield the frames that tell of a tick, whose times are in µs; the same tick may be told on several streams."""


class Wire(Protocol):
    """How one venue writes.

    Attributes:
        exchange: Whose it is.
    """

    exchange: Exchange

    def read(self, frame: bytes) -> Said | None:
        """Tell what a recorded frame is; None for acknowledgements and what else is not of a stream."""

    def assume(self, native: str) -> None:
        """Take of which instrument recorded answers are that name none, until a frame of another comes."""

    def read_answer(self, url: str, body: bytes) -> Said | None:
        """Tell what a recorded REST answer does to a book; None when it does nothing."""

    def move(self, frame: bytes, times: Times) -> bytes:
        """Return a frame with its exchange times moved."""

    def lower(self, frame: bytes, by: int) -> bytes:
        """Return a frame whose numbers of the book are lower by `by`, as after a restart of the venue's engine."""

    def lower_first(self, frame: bytes, by: int) -> bytes:
        """Return the frame with which the new count begins: it still names its predecessor by the old count."""

    def counts_book(self, stream: str) -> bool:
        """Whether the numbers of a stream are those of the book."""

    def encoder(self, spec: MarketSpec) -> Encoder:
        """Begin to write a simulated instrument."""

    def instruments(self, specs: Sequence[MarketSpec]) -> dict[str, bytes]:
        """Return the answers that list simulated instruments, as `Source.instruments` does."""


def write(value: object) -> bytes:
    """Write JSON without spaces, as venues do."""
    return msgspec.json.encode(value)
