"""What an exchange knows of its market at a moment: books, last frames, last trades, instruments."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from aperiodic.mock.text_book import TextBook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.mock.messages import Message, Source

__all__ = ["Market"]

_MOST_RECENT: Final = 100


class Market:
    """The market of one exchange.

    Attributes:
        books: By the venue's names of instruments.
        latest: The last frame of each stream.
        recent: The last trades of each stream.
        streams: All streams that the sources send.
        natives: The venue's names of all instruments.
    """

    def __init__(self) -> None:
        self.books: dict[str, TextBook] = {}
        self.latest: dict[str, Message] = {}
        self.recent: dict[str, deque[Message]] = {}
        self.streams: frozenset[str] = frozenset()
        self.natives: frozenset[str] = frozenset()
        self._instruments: dict[str, bytes] = {}

    def learn(self, sources: Sequence[Source]) -> None:
        """Take what the sources know beforehand."""
        self.streams = frozenset[str]().union(*(source.streams() for source in sources))
        self.natives = frozenset[str]().union(*(source.natives() for source in sources))
        for source in sources:
            self._instruments.update(source.instruments())

    def change(self, message: Message) -> None:
        """Let a message change the book of its instrument."""
        change = message.change
        if change is not None:
            book = self.books.get(message.native)
            if book is None:
                book = self.books[message.native] = TextBook()
            book.apply(change)

    def told(self, message: Message) -> None:
        """Remember a frame that leaves."""
        stream = message.stream
        self.latest[stream] = message
        if stream.startswith("trades"):
            recent = self.recent.get(stream)
            if recent is None:
                recent = self.recent[stream] = deque(maxlen=_MOST_RECENT)
            recent.append(message)

    def trades_in(self, native: str) -> bool:
        """Whether there is such an instrument."""
        return native in self.natives

    def payload(self, stream: str) -> bytes | None:
        """Return the last frame of a stream; None before the first."""
        message = self.latest.get(stream)
        return None if message is None else message.payload

    def instruments(self, of: str) -> bytes | None:
        """Return an answer that lists instruments; None when there is none."""
        return self._instruments.get(of)
